"""ha-reconcile: keeps a SQLite file and an InfluxDB bucket equal to Home Assistant's registries.

    Home Assistant --> source --> snapshot --> diff --> plan --> guard --> replica --> status
                       (desired)  (+ hashes)  (three-way) (minimal) (may refuse) (apply)

Read in this order: `core/records/record.py` (the mirrored records), `core/compare/diff.py` (their differences and which
side changed), `core/compare/plan.py` (the operations), `core/guards/guard.py` (refusals), `loop/passes/reconciler.py` and
`loop/passes/replica_pass.py` (one pass, replica by replica), then one adapter of each kind: `sources/files/capture.py` and
`replicas/history/replica.py`.
`DESIGN.md` gives the reasons.
"""

__version__ = "0.2.0"
