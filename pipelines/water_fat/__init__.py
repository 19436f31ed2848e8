"""Fat fraction from Dixon images: masks, units, noise, water/fat swaps and quality checks."""
