"""OpenVINO without the reports to its makers; nothing else imports it.

``import openvino`` would write an identifier into HOME and look up a statistics host. It brings a
stand-in that does neither, which it takes where the package for that cannot be imported.
"""

import sys

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # importing it now fails

import openvino as ov  # noqa: E402

__all__ = ["ov"]
