"""From weights to rows: a chain of sources, in which a source may hold another source.

A source draws encoded rows. The first link of a chain is the generator of a game
(`source.RawRows`). The links around the generator correct the rates of levels
(`calibrated.Calibrated`), reject rows that boosted trees recognise as synthetic
(`accepted.Accepted`), and meet conditions (`on_demand.OnDemand`).
"""
