"""Hands keyed work to hosts: processes of this machine, or actors on the nodes of a Ray cluster."""
