"""Shows the results of a run as tables, charts and one self-contained HTML page."""

from codepref.reports.html import write_report
from codepref.reports.tables import comparison_table, score_table, summary_table

__all__ = ["comparison_table", "score_table", "summary_table", "write_report"]
