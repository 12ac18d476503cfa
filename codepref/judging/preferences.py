"""The five coding preferences of CodeUltraFeedback (arXiv 2403.09032, section 2.1), as data.

Keys and their order are the published data set's. Criteria, scales and principles are in codepref's own words; a recipe
that needs the published ones can replace them.
"""

from __future__ import annotations

PREFERENCES = ("instruction-following", "readability", "complexity", "style", "explanation")
"""In the order in which the published data set gives them out: the preference of instruction i is the (i mod 5)-th."""
