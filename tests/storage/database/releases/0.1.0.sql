BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE fewest_alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT fewest_alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "fewest_alembic_version" VALUES('0001');
CREATE TABLE fewest_curves (
	trial_id INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	loss FLOAT, 
	accuracy FLOAT, 
	val_loss FLOAT, 
	val_accuracy FLOAT, 
	PRIMARY KEY (trial_id, epoch), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "fewest_curves" VALUES(1,0,1.0,0.5,NULL,0.25);
INSERT INTO "fewest_curves" VALUES(1,1,0.5,0.5,NULL,0.25);
INSERT INTO "fewest_curves" VALUES(1,2,3.33333333333333314829e-01,0.5,NULL,0.25);
INSERT INTO "fewest_curves" VALUES(2,0,1.0,0.5,NULL,0.25);
INSERT INTO "fewest_curves" VALUES(2,1,0.5,0.5,NULL,0.25);
INSERT INTO "fewest_curves" VALUES(2,2,3.33333333333333314829e-01,0.5,NULL,0.25);
INSERT INTO "fewest_curves" VALUES(3,0,1.0,0.5,NULL,0.25);
INSERT INTO "fewest_curves" VALUES(3,1,0.5,0.5,NULL,0.25);
INSERT INTO "fewest_curves" VALUES(3,2,3.33333333333333314829e-01,0.5,NULL,0.25);
INSERT INTO "fewest_curves" VALUES(4,0,1.0,0.5,NULL,0.25);
INSERT INTO "fewest_curves" VALUES(4,1,0.5,0.5,NULL,0.25);
INSERT INTO "fewest_curves" VALUES(4,2,3.33333333333333314829e-01,0.5,NULL,0.25);
CREATE TABLE fewest_leases (
	trial_id INTEGER NOT NULL, 
	worker_id VARCHAR(200), 
	fence BIGINT NOT NULL, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id) ON DELETE CASCADE, 
	FOREIGN KEY(worker_id) REFERENCES fewest_workers (worker_id) ON DELETE SET NULL
);
INSERT INTO "fewest_leases" VALUES(4,'gone',1);
CREATE TABLE fewest_results (
	study_id INTEGER NOT NULL, 
	widths VARCHAR(512) NOT NULL, 
	seed BIGINT NOT NULL, 
	test_accuracy FLOAT, 
	validation_accuracy FLOAT, 
	epochs INTEGER NOT NULL, 
	seconds FLOAT, 
	PRIMARY KEY (study_id, widths, seed), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id) ON DELETE CASCADE
);
INSERT INTO "fewest_results" VALUES(1,'[]',7,0.375,0.4,3,1.5);
CREATE TABLE fewest_workers (
	worker_id VARCHAR(200) NOT NULL, 
	host TEXT NOT NULL, 
	boot TEXT NOT NULL, 
	pid BIGINT NOT NULL, 
	started TEXT NOT NULL, 
	lease_seconds FLOAT NOT NULL, 
	beat BIGINT NOT NULL, 
	PRIMARY KEY (worker_id)
);
INSERT INTO "fewest_workers" VALUES('gone','elsewhere','another kernel''s boot',1,'1',30.0,0);
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'digits');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MINIMIZE',1,0);
INSERT INTO "study_directions" VALUES(2,'MAXIMIZE',1,1);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_system_attributes" VALUES(1,1,'study:metric_names','["neurons", "validation_accuracy"]');
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'data','{"name": "digits", "n_classes": 10, "input_shape": [8, 8], "n_training": 1078, "n_validation": 360, "n_test": 0, "fingerprint": "7d788fba7b322848379a0c9d7cc57d23c86f1e8609a0e5b60349862c4f6cb59d"}');
INSERT INTO "study_user_attributes" VALUES(2,1,'environment','{"Python": "3.11.7", "fewest": "0.1.0", "keras": "3.15.1", "tensorflow": "2.21.0", "optuna": "5.0.0", "numpy": "2.4.6", "System": "Linux x86_64", "Processor": "AMD EPYC", "Processor cores": "2"}');
INSERT INTO "study_user_attributes" VALUES(3,1,'settings','{"name": "digits", "seed": 0, "engine": "population", "data": {"name": "digits", "validation": "stratified", "validation_share": 0.25}, "space": {"max_depth": 2, "min_width": 1, "max_width": 16, "size": "neurons", "architectures": null}, "training": {"protocol": "one_cycle", "batch_size": 32, "epochs": 3, "learning_rate": 0.02, "schedule": "one_cycle", "warmup": 0.15, "patience": null, "activation": "relu"}, "pruning": {"enabled": true, "risk": 0.01}, "budget": {"trials": 8, "timeout": null, "patience": 200, "targets": [0.8, 0.9, 0.95], "verification_seeds": 0}, "output": {"monitor_every": null}, "reference": null}');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'depth',0.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 2}}');
INSERT INTO "trial_params" VALUES(2,2,'depth',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 2}}');
INSERT INTO "trial_params" VALUES(3,2,'width_1',1.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 16}}');
INSERT INTO "trial_params" VALUES(4,3,'depth',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 2}}');
INSERT INTO "trial_params" VALUES(5,3,'width_1',2.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 16}}');
INSERT INTO "trial_params" VALUES(6,4,'depth',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 2}}');
INSERT INTO "trial_params" VALUES(7,4,'width_1',4.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 16}}');
INSERT INTO "trial_params" VALUES(8,5,'depth',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 2}}');
INSERT INTO "trial_params" VALUES(9,5,'width_1',8.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 16}}');
INSERT INTO "trial_params" VALUES(10,6,'depth',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 2}}');
INSERT INTO "trial_params" VALUES(11,6,'width_1',16.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 16}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'widths','[]');
INSERT INTO "trial_user_attributes" VALUES(2,1,'neurons','0');
INSERT INTO "trial_user_attributes" VALUES(3,1,'parameters','650');
INSERT INTO "trial_user_attributes" VALUES(4,1,'seed','1484405855');
INSERT INTO "trial_user_attributes" VALUES(5,2,'widths','[1]');
INSERT INTO "trial_user_attributes" VALUES(6,2,'neurons','1');
INSERT INTO "trial_user_attributes" VALUES(7,2,'parameters','85');
INSERT INTO "trial_user_attributes" VALUES(8,2,'seed','1982462498');
INSERT INTO "trial_user_attributes" VALUES(9,3,'widths','[2]');
INSERT INTO "trial_user_attributes" VALUES(10,3,'neurons','2');
INSERT INTO "trial_user_attributes" VALUES(11,3,'parameters','160');
INSERT INTO "trial_user_attributes" VALUES(12,3,'seed','1570558271');
INSERT INTO "trial_user_attributes" VALUES(13,4,'widths','[4]');
INSERT INTO "trial_user_attributes" VALUES(14,4,'neurons','4');
INSERT INTO "trial_user_attributes" VALUES(15,4,'parameters','310');
INSERT INTO "trial_user_attributes" VALUES(16,4,'seed','1306511473');
INSERT INTO "trial_user_attributes" VALUES(17,5,'widths','[8]');
INSERT INTO "trial_user_attributes" VALUES(18,5,'neurons','8');
INSERT INTO "trial_user_attributes" VALUES(19,5,'parameters','610');
INSERT INTO "trial_user_attributes" VALUES(20,5,'seed','937182424');
INSERT INTO "trial_user_attributes" VALUES(21,6,'widths','[16]');
INSERT INTO "trial_user_attributes" VALUES(22,6,'neurons','16');
INSERT INTO "trial_user_attributes" VALUES(23,6,'parameters','1210');
INSERT INTO "trial_user_attributes" VALUES(24,6,'seed','80664346');
INSERT INTO "trial_user_attributes" VALUES(25,1,'epochs','3');
INSERT INTO "trial_user_attributes" VALUES(26,1,'best_epoch','2');
INSERT INTO "trial_user_attributes" VALUES(27,2,'reason','"dominated"');
INSERT INTO "trial_user_attributes" VALUES(28,3,'reason','"its loss is NaN"');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,0.0,'FINITE');
INSERT INTO "trial_values" VALUES(2,1,1,0.375,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-24 19:36:58.594598','2026-11-24 19:36:58.604828');
INSERT INTO "trials" VALUES(2,1,1,'PRUNED','2026-11-24 19:36:58.594598','2026-11-24 19:36:58.604828');
INSERT INTO "trials" VALUES(3,2,1,'FAIL','2026-11-24 19:36:58.594598','2026-11-24 19:36:58.604828');
INSERT INTO "trials" VALUES(4,3,1,'RUNNING','2026-11-24 19:36:58.594598',NULL);
INSERT INTO "trials" VALUES(5,4,1,'WAITING',NULL,NULL);
INSERT INTO "trials" VALUES(6,5,1,'WAITING',NULL,NULL);
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
CREATE INDEX ix_fewest_leases_worker_id ON fewest_leases (worker_id);
CREATE TRIGGER fewest_trial_deleted AFTER DELETE ON trials BEGIN
        DELETE FROM fewest_curves WHERE trial_id = OLD.trial_id;
        DELETE FROM fewest_leases WHERE trial_id = OLD.trial_id;
    END;
CREATE TRIGGER fewest_study_deleted AFTER DELETE ON studies BEGIN
        DELETE FROM fewest_results WHERE study_id = OLD.study_id;
    END;
COMMIT;
