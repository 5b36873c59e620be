"""Kafka as it really is: the clients of a cluster, behind the contract that the replica needs. Only here is its library loaded."""
