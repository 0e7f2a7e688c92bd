"""Differential privacy: noise, mechanisms, the accountant, and private descriptions of tables.

Only `tabgan.private.curator` reads rows. What its mechanisms return may be looked at freely.
"""
