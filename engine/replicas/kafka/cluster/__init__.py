"""The clients of a Kafka cluster, behind the protocol that the replica needs. Only this folder loads Kafka's library."""
