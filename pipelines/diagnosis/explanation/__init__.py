"""Why the ensemble answers as it does.

``values`` explains samples, ``out_of_fold`` those of an evaluation; ``importance`` and
``interactions`` sum up a cohort; ``shap_export`` makes objects for the plots of ``shap``.
"""
