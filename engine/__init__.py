"""ha-reconcile: keeps a SQLite file and an InfluxDB bucket equal to Home Assistant's registries.

    Home Assistant --> source --> snapshot --> diff --> plan --> guard --> replica --> status
                       (desired)  (+ hashes)  (three-way) (minimal) (may refuse) (apply)

Read in this order: `core/records/record.py` (what is mirrored), `core/compare/diff.py` (what differs, and whose change it
was), `core/compare/plan.py` (what to do about it), `core/guards/guard.py` (when not to), `loop/passes/reconciler.py` and
`loop/passes/replica_pass.py` (one pass, replica by replica), then one adapter of each kind: `sources/files/capture.py` and
`replicas/history/replica.py`.
`DESIGN.md` argues why.
"""

__version__ = "0.2.0"
