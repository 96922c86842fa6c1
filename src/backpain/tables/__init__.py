"""Numbers, tables and the hiding of small counts; what figures and the report print comes through here."""
