"""Responses -> judgments: what is preferred, the judge that rates, the ratings as records and files."""
