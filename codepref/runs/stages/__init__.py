"""The stages of a run, in one module for each kind of result.

Each stage takes a `Work`, writes its files, and returns the figures that its marker, stages/NAME.json, keeps.
"""
