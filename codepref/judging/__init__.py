"""Responses -> judgments: a judge model or the rubric rates responses by a coding preference."""
