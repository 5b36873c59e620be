-- HomeIQ's data-api tables as SQLAlchemy creates them in metadata.db, and, beside them, what must survive adoption:
-- the migration tool's table, a table and a column that no one here knows.
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES ('003');
CREATE TABLE devices (
	device_id VARCHAR NOT NULL,
	name VARCHAR NOT NULL,
	manufacturer VARCHAR,
	model VARCHAR,
	sw_version VARCHAR,
	area_id VARCHAR,
	integration VARCHAR,
	last_seen DATETIME,
	created_at DATETIME,
	name_by_user VARCHAR,
	entry_type VARCHAR,
	configuration_url VARCHAR,
	suggested_area VARCHAR,
	health_score INTEGER,
	PRIMARY KEY (device_id)
);
CREATE INDEX idx_device_area ON devices (area_id);
CREATE INDEX idx_device_integration ON devices (integration);
CREATE INDEX idx_device_manufacturer ON devices (manufacturer);
CREATE TABLE entities (
	entity_id VARCHAR NOT NULL,
	device_id VARCHAR,
	domain VARCHAR NOT NULL,
	platform VARCHAR,
	unique_id VARCHAR,
	area_id VARCHAR,
	disabled BOOLEAN,
	created_at DATETIME,
	PRIMARY KEY (entity_id),
	FOREIGN KEY(device_id) REFERENCES devices (device_id) ON DELETE CASCADE
);
CREATE INDEX idx_entity_area ON entities (area_id);
CREATE INDEX idx_entity_device ON entities (device_id);
CREATE INDEX idx_entity_domain ON entities (domain);
CREATE TABLE device_notes (
	id INTEGER NOT NULL,
	device_id VARCHAR NOT NULL,
	note TEXT,
	PRIMARY KEY (id)
);
INSERT INTO device_notes VALUES (1, 'a0d7b954f1b8c9e2f3a4b5c6d7e8f9a0', 'battery changed in spring');
