//! The rules that `template.yaml` keeps to and that neither AWS nor the emulator checks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use shared::capabilities::exporting::FILES_KEPT;
use shared::capabilities::importing::{MOST_PAUSED, ROWS_READ};
use shared::capabilities::leaving::KeptElsewhere;
use shared::capabilities::linking::SETTLE_LEASE;
use shared::kernel::{EXPORT_DAYS, EXPORTS, Queue, RUN_OBJECT_DAYS, RUNS};
use shared::lambda::config::{
    ApiConfig, AskConfig, AutoSaveConfig, BulkImportConfig, ConnectionCareConfig, ConsoleConfig,
    DataPurgeConfig, DirectoryIndexConfig, MatchShardConfig, OauthCallbackConfig, TellingConfig,
    WritebackConfig, variables_of,
};
use shared::ports::{MOST_RECEIVES, Purpose};
use shared::work::CLEAR_AFTER;
use tests::root;
use tests::template::{functions, list, resources, statements, target, template, variables, yaml};

fn folders(path: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join(path)).unwrap().map(Result::unwrap);
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// The resources on which a function may take an action.
fn allowed<'a>(template: &'a Value, function: &Value, action: &str) -> Vec<&'a Value> {
    let statements = statements(template, function);
    let matching =
        statements.into_iter().filter(|s| list(&s["Action"]).iter().any(|a| *a == action));
    matching.flat_map(|s| list(&s["Resource"])).collect()
}

/// The function that a queue feeds, and how.
fn consumers(template: &Value) -> BTreeMap<String, (&Value, &Value)> {
    let mut consumers = BTreeMap::new();
    for function in functions(template).into_values() {
        for event in function["Events"].as_object().into_iter().flat_map(Map::values) {
            if event["Type"] == "SQS" {
                let queue = target(&event["Properties"]["Queue"]).unwrap().to_owned();
                let second = consumers.insert(queue.clone(), (function, &event["Properties"]));
                assert!(second.is_none(), "{queue} feeds two functions");
            }
        }
    }
    consumers
}

#[test]
fn no_role_may_do_everything_or_touch_everything() {
    let template = template();
    for (id, role) in resources(&template, "AWS::IAM::Role") {
        for policy in list(&role["Policies"]) {
            for statement in list(&policy["PolicyDocument"]["Statement"]) {
                assert_eq!(statement["Effect"], "Allow", "{id}");
                for action in list(&statement["Action"]) {
                    assert!(!action.as_str().unwrap().contains('*'), "{id}: {action}");
                }
                for resource in list(&statement["Resource"]) {
                    assert_ne!(resource, "*", "{id}: {statement}");
                }
            }
        }
    }
}

#[test]
fn the_key_is_used_only_with_its_context_or_by_the_secret_store() {
    let template = template();
    for (name, function) in functions(&template) {
        for statement in statements(&template, function) {
            let uses_key =
                list(&statement["Action"]).iter().any(|a| a.as_str().unwrap().starts_with("kms:"));
            let condition = &statement["Condition"];
            let keys = json!(["purpose", "scope"]);
            let bound_keys = &condition["ForAllValues:StringEquals"]["kms:EncryptionContextKeys"];
            let is_bound = condition["Null"]["kms:EncryptionContext:scope"] == "false"
                && !condition["StringEquals"]["kms:EncryptionContext:purpose"].is_null()
                && *bound_keys == keys
                || !condition["StringEquals"]["kms:ViaService"].is_null();
            assert!(!uses_key || is_bound, "{name}: {statement}");
        }
    }
}

/// The purposes for which a function's role may take an action of the key.
fn purposes(template: &Value, function: &Value, action: &str) -> BTreeSet<Purpose> {
    let mut bound = BTreeSet::new();
    for statement in statements(template, function) {
        let condition = &statement["Condition"]["StringEquals"];
        let names = &condition["kms:EncryptionContext:purpose"];
        if list(&statement["Action"]).iter().any(|a| *a == action) && !names.is_null() {
            let purpose = |name: &&Value| Purpose::ALL.into_iter().find(|p| **name == p.as_str());
            bound.extend(list(names).iter().map(|name| purpose(name).unwrap()));
        }
    }
    bound
}

#[test]
fn only_functions_that_call_salesforce_open_a_grant_or_read_the_apps_secret() {
    let template = template();
    let who = |may: &dyn Fn(&Value) -> bool| -> Vec<&str> {
        functions(&template).into_iter().filter(|(_, f)| may(f)).map(|(name, _)| name).collect()
    };
    for (purpose, openers) in [
        (
            Purpose::AdminGrant,
            &["bulk-import", "connection-care", "data-purge", "oauth-callback"][..],
        ),
        (
            Purpose::SeatGrants,
            &["ask", "connection-care", "data-purge", "oauth-callback", "writeback"],
        ),
        (Purpose::Purge, &["data-purge"]),
        (Purpose::Login, &["data-purge"]),
    ] {
        let opens = |f: &Value| purposes(&template, f, "kms:Decrypt").contains(&purpose);
        assert_eq!(who(&opens), openers, "{purpose:?}");
    }
    let reads_app = |function: &Value| {
        let secrets = allowed(&template, function, "secretsmanager:GetSecretValue");
        secrets.iter().any(|secret| target(secret) == Some("AppSecret"))
    };
    let readers = ["ask", "bulk-import", "connection-care", "oauth-callback", "writeback"];
    assert_eq!(who(&reads_app), readers);
}

#[test]
fn every_function_has_a_role_of_its_own() {
    let template = template();
    let roles: BTreeSet<_> =
        functions(&template).values().map(|f| target(&f["Role"]).unwrap().to_owned()).collect();
    assert_eq!(roles.len(), functions(&template).len());
    assert_eq!(roles.len(), resources(&template, "AWS::IAM::Role").len());
}

#[test]
fn every_function_of_the_repository_is_deployed_under_its_name_and_has_an_event() {
    let template = template();
    let deployed: BTreeSet<String> = functions(&template).into_keys().map(str::to_owned).collect();
    assert_eq!(deployed, folders("functions"));
    let events = folders("events");
    for (id, resource) in template["Resources"].as_object().unwrap() {
        if resource["Type"] != "AWS::Serverless::Function" {
            continue;
        }
        let properties = &resource["Properties"];
        let name = properties["CodeUri"].as_str().unwrap().strip_prefix("functions/").unwrap();
        assert_eq!(resource["Metadata"]["BuildProperties"]["Binary"], name, "{id}");
        assert_eq!(
            properties["FunctionName"]["Fn::Sub"],
            format!("${{AWS::StackName}}-{name}"),
            "{id}"
        );
        assert!(
            events.iter().any(|e| e.starts_with(&format!("{name}."))),
            "{name} has no sample event"
        );
    }
}

#[test]
fn every_queue_has_a_dead_letter_queue_and_a_consumer() {
    let template = template();
    let queues = resources(&template, "AWS::SQS::Queue");
    let consumers = consumers(&template);
    let mut dead = BTreeSet::new();
    for (id, queue) in &queues {
        let redrive = &queue["RedrivePolicy"];
        if redrive.is_null() {
            continue;
        }
        let receives = redrive["maxReceiveCount"].as_u64().unwrap();
        assert_eq!(receives, u64::from(MOST_RECEIVES), "{id}");
        let letters = target(&redrive["deadLetterTargetArn"]).unwrap();
        let kept = |queue: &Value| queue["MessageRetentionPeriod"].as_u64().unwrap();
        assert!(
            kept(queues[letters]) > kept(queue),
            "{id}: parked messages must outlive the waiting ones"
        );
        assert!(dead.insert(letters), "{letters} is the dead-letter queue of two queues");
        assert!(consumers.contains_key(*id), "nothing consumes {id}");
    }
    assert_eq!(queues.len(), 2 * dead.len(), "a queue has no dead-letter queue");
}

/// The metric that an alarm watches, and the resource that it watches it of.
fn watched(alarm: &Value) -> (&str, &str) {
    let of = target(&alarm["Dimensions"][0]["Value"]).unwrap();
    (alarm["MetricName"].as_str().unwrap(), of)
}

#[test]
fn every_queue_has_an_alarm_on_its_age_and_its_dead_letters() {
    let template = template();
    let alarms = resources(&template, "AWS::CloudWatch::Alarm");
    let of_queues = alarms.into_values().filter(|alarm| alarm["Namespace"] == "AWS/SQS");
    let alarms: BTreeMap<_, _> = of_queues.map(|a| (watched(a), a)).collect();
    for (id, queue) in resources(&template, "AWS::SQS::Queue") {
        if queue["RedrivePolicy"].is_null() {
            let letters = alarms[&("ApproximateNumberOfMessagesVisible", id)];
            assert_eq!(letters["ComparisonOperator"], "GreaterThanThreshold", "{id}");
            assert_eq!(letters["Threshold"], 0, "{id}: any message is an alarm");
            continue;
        }
        let age = alarms[&("ApproximateAgeOfOldestMessage", id)];
        let parameter = target(&age["Threshold"]).unwrap();
        let threshold = template["Parameters"][parameter]["Default"].as_u64().unwrap();
        let hidden = queue["VisibilityTimeout"]["Fn::If"][2].as_u64().unwrap();
        assert!(threshold >= 2 * hidden, "{id}: one failure is an alarm");
        assert!(threshold > 900, "{id}: a message that is delayed is an alarm");
        assert!(threshold < queue["MessageRetentionPeriod"].as_u64().unwrap(), "{id}");
    }
}

#[test]
fn every_alarm_can_be_heard_and_none_sounds_without_a_measurement() {
    let template = template();
    let heard =
        json!({"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]});
    for (id, alarm) in resources(&template, "AWS::CloudWatch::Alarm") {
        assert_eq!(alarm["AlarmActions"], heard, "{id}");
        // A tick that does not run measures nothing: that is what this one tells.
        let silence = if id == "TickMissedAlarm" { "breaching" } else { "notBreaching" };
        assert_eq!(alarm["TreatMissingData"], silence, "{id}");
    }
}

/// L10: who decrypts data keys one after the other is heard of.
#[test]
fn the_use_of_the_key_has_an_alarm() {
    let template = template();
    let alarms = resources(&template, "AWS::CloudWatch::Alarm");
    let alarm = alarms["KeyUseAlarm"];
    assert_eq!(
        (&alarm["Namespace"], &alarm["MetricName"]),
        (&json!("AWS/Usage"), &json!("CallCount"))
    );
    let dimensions: BTreeMap<&str, &str> = list(&alarm["Dimensions"])
        .into_iter()
        .map(|d| (d["Name"].as_str().unwrap(), d["Value"].as_str().unwrap()))
        .collect();
    let expected = [
        ("Class", "None"),
        ("Resource", "CryptographicOperationsSymmetric"),
        ("Service", "KMS"),
        ("Type", "API"),
    ];
    assert_eq!(dimensions, BTreeMap::from(expected));
    assert_eq!(alarm["Statistic"], "Sum");
    assert_eq!(target(&alarm["Threshold"]), Some("KeyUseAlarmPerMinute"));
}

/// L10: who reads far more of one org than any holds is heard.
#[test]
fn rows_read_of_one_org_have_an_alarm() {
    let template = template();
    let metric = resources(&template, "AWS::Logs::MetricFilter")["RowsReadMetric"];
    assert_eq!(metric["FilterPattern"], format!("{{ $.message = \"{ROWS_READ}\" }}"));
    let measured = &metric["MetricTransformations"][0];
    assert_eq!(measured["MetricValue"], "$.rows");
    let alarm = resources(&template, "AWS::CloudWatch::Alarm")["RowsReadAlarm"];
    for name in ["MetricName", "MetricNamespace"] {
        let of_alarm = if name == "MetricNamespace" { "Namespace" } else { name };
        assert_eq!(measured[name], alarm[of_alarm]);
    }
    assert_eq!(alarm["Statistic"], "Maximum", "one org is enough");
    assert_eq!(target(&alarm["Threshold"]), Some("RowsReadAlarmRows"));
    let logs = target(&metric["LogGroupName"]).unwrap();
    let name = &template["Resources"][logs]["Properties"]["LogGroupName"];
    assert!(name.to_string().contains("bulk-import"), "{name}");
}

/// L9: what a role may do is what its function does.
#[test]
fn roles_reach_the_objects_and_items_that_their_functions_need() {
    let template = template();
    let functions = functions(&template);
    let actions = |name: &str, prefix: &str| -> BTreeSet<&str> {
        let statements = statements(&template, functions[name]).into_iter();
        let actions = statements.flat_map(|s| list(&s["Action"]));
        let actions = actions.map(|action| action.as_str().unwrap());
        actions.filter(|action| action.starts_with(prefix)).collect()
    };
    // The directory's files hold no customer's data; what an import brought is not theirs to read.
    for name in ["auto-save", "directory-index"] {
        for action in ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"] {
            for resource in allowed(&template, functions[name], action) {
                assert_eq!(resource["Fn::Sub"], "${Bucket.Arn}/directory/*", "{name}: {action}");
            }
        }
    }
    assert_eq!(actions("auto-save", "s3:"), ["s3:GetObject", "s3:ListBucket"].into());
    // A purge takes away, and makes no object.
    let taking_away = ["s3:DeleteObject", "s3:ListBucket"];
    assert_eq!(actions("data-purge", "s3:"), taking_away.into());
    // Who deletes due items alone may delete nothing else.
    for name in ["directory-index", "telling"] {
        let statements = statements(&template, functions[name]);
        let deletes = |s: &&&Value| list(&s["Action"]).iter().any(|a| *a == "dynamodb:DeleteItem");
        for statement in statements.iter().filter(deletes) {
            let keys = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
            assert_eq!(*keys, json!(["DUE#*"]), "{name}");
            assert_eq!(list(&statement["Action"]).len(), 1, "{name}");
        }
        assert!(!actions(name, "dynamodb:").contains("dynamodb:BatchWriteItem"), "{name}");
    }
}

#[test]
fn a_message_stays_hidden_for_six_times_its_functions_timeout() {
    let template = template();
    for (queue, (function, _)) in consumers(&template) {
        let visibility =
            &template["Resources"][&queue]["Properties"]["VisibilityTimeout"]["Fn::If"];
        assert_eq!(visibility[0], "HasQueueVisibility", "{queue}");
        assert_eq!(
            visibility[2].as_u64(),
            Some(6 * function["Timeout"].as_u64().unwrap()),
            "{queue}"
        );
    }
}

#[test]
fn one_bad_message_fails_alone() {
    let template = template();
    for (queue, (_, mapping)) in consumers(&template) {
        assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{queue}");
    }
}

#[test]
fn a_function_may_send_exactly_to_the_queues_that_it_knows() {
    let template = template();
    for (name, function) in functions(&template) {
        let known = variables(function).iter().filter(|(key, _)| key.ends_with("_QUEUE_URL"));
        let known: BTreeSet<&str> = known.map(|(_, value)| target(value).unwrap()).collect();
        let sends: BTreeSet<&str> = allowed(&template, function, "sqs:SendMessage")
            .into_iter()
            .map(|r| target(r).unwrap())
            .collect();
        assert_eq!(known, sends, "{name}");
    }
}

#[test]
fn a_function_that_feeds_its_own_queue_says_so() {
    let template = template();
    for (queue, (function, _)) in consumers(&template) {
        let sends = allowed(&template, function, "sqs:SendMessage");
        let feeds_itself = sends.into_iter().any(|r| target(r) == Some(queue.as_str()));
        assert_eq!(feeds_itself, function["RecursiveLoop"] == "Allow", "{queue}");
    }
}

#[test]
fn a_function_may_read_what_its_variables_name() {
    let template = template();
    for (name, function) in functions(&template) {
        for (variable, action) in [
            // Every function forgets the due item behind its work; not every one reads others.
            ("TABLE_NAME", "dynamodb:DeleteItem"),
            ("BUCKET_NAME", "s3:ListBucket"),
            ("KMS_KEY_ID", "kms:Decrypt"),
        ] {
            let may = !allowed(&template, function, action).is_empty();
            assert_eq!(
                variables(function).contains_key(variable),
                may,
                "{name}: {variable} and {action}"
            );
        }
        let secrets = allowed(&template, function, "secretsmanager:GetSecretValue");
        let app = secrets.iter().any(|s| target(s) == Some("AppSecret"));
        assert_eq!(variables(function).contains_key("APP_SECRET_ID"), app, "{name}: APP_SECRET_ID");
        assert_eq!(
            variables(function).contains_key("SECRET_PREFIX"),
            secrets.len() > usize::from(app),
            "{name}: SECRET_PREFIX"
        );
    }
}

#[test]
fn every_function_is_given_exactly_what_it_reads() {
    let template = template();
    let functions = functions(&template);
    let read = BTreeMap::from([
        ("api", variables_of::<ApiConfig>()),
        ("ask", variables_of::<AskConfig>()),
        ("auto-save", variables_of::<AutoSaveConfig>()),
        ("bulk-import", variables_of::<BulkImportConfig>()),
        ("connection-care", variables_of::<ConnectionCareConfig>()),
        ("console", variables_of::<ConsoleConfig>()),
        ("data-purge", variables_of::<DataPurgeConfig>()),
        ("directory-index", variables_of::<DirectoryIndexConfig>()),
        ("match-shard", variables_of::<MatchShardConfig>()),
        ("oauth-callback", variables_of::<OauthCallbackConfig>()),
        ("telling", variables_of::<TellingConfig>()),
        ("writeback", variables_of::<WritebackConfig>()),
    ]);
    for (name, function) in functions {
        // The filter of the log lines is read by the subscriber, not by the configuration.
        let mut expected: BTreeSet<&str> = read[name].iter().copied().collect();
        expected.insert("RUST_LOG");
        let given: BTreeSet<&str> = variables(function).keys().map(String::as_str).collect();
        assert_eq!(given, expected, "{name}");
    }
}

#[test]
fn events_are_put_on_the_bus_by_one_function_that_can_do_nothing_else() {
    let template = template();
    for (name, function) in functions(&template) {
        let puts = !allowed(&template, function, "events:PutEvents").is_empty();
        assert_eq!(puts, name == "telling", "{name}");
    }
    let telling = functions(&template)["telling"];
    let statements = statements(&template, telling);
    let actions = statements.into_iter().flat_map(|s| list(&s["Action"]));
    let actions: BTreeSet<&str> = actions.map(|action| action.as_str().unwrap()).collect();
    let expected = [
        "dynamodb:DeleteItem",
        "events:PutEvents",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    ];
    assert_eq!(actions, BTreeSet::from(expected));
}

#[test]
fn no_function_may_scan_the_table() {
    let template = template();
    for (name, function) in functions(&template) {
        assert!(allowed(&template, function, "dynamodb:Scan").is_empty(), "{name}");
    }
}

#[test]
fn objects_of_runs_are_deleted_by_those_who_end_the_runs_and_by_age() {
    let template = template();
    let deletes = |name: &str| {
        let function = functions(&template)[name];
        let resources = allowed(&template, function, "s3:DeleteObject").into_iter();
        resources.map(|r| r["Fn::Sub"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let runs = format!("${{Bucket.Arn}}/{RUNS}*");
    assert_eq!(deletes("bulk-import"), std::slice::from_ref(&runs));
    let probes = "${Bucket.Arn}/*/probes/*".to_owned();
    let exports = format!("${{Bucket.Arn}}/{EXPORTS}*");
    assert_eq!(deletes("match-shard"), [runs, probes, exports]);
    for name in functions(&template).keys() {
        let may = ["bulk-import", "match-shard", "data-purge", "directory-index"].contains(name);
        assert_eq!(!deletes(name).is_empty(), may, "{name}");
    }
    let buckets = resources(&template, "AWS::S3::Bucket");
    let rules = buckets.values().flat_map(|b| list(&b["LifecycleConfiguration"]["Rules"]));
    let expiring: Vec<&Value> = rules.filter(|r| !r["ExpirationInDays"].is_null()).collect();
    assert_eq!(expiring.len(), 2, "what stays until disconnect does not expire");
    for (rule, (prefix, days)) in
        expiring.iter().zip([(RUNS, RUN_OBJECT_DAYS), (EXPORTS, EXPORT_DAYS)])
    {
        assert_eq!(rule["Prefix"], prefix);
        assert_eq!(rule["Status"], "Enabled");
        assert_eq!(rule["ExpirationInDays"], days);
    }
    assert!(FILES_KEPT < SignedDuration::from_hours(24 * EXPORT_DAYS), "no file goes too early");
    let longest = MOST_PAUSED + SignedDuration::from_hours(24);
    assert!(
        longest < SignedDuration::from_hours(24 * RUN_OBJECT_DAYS),
        "no paused run loses pages"
    );
    let page = std::fs::read_to_string(root().join("docs/retention.md")).unwrap();
    for row in [
        format!("| {} minutes after the run's end", CLEAR_AFTER.as_secs() / 60),
        format!("{RUN_OBJECT_DAYS} days at the longest"),
        format!("`{EXPORTS}tenant/environment/generation/`"),
        format!("{} hours after they are finished; {EXPORT_DAYS} days", FILES_KEPT.as_hours()),
        format!("paused for {} days", MOST_PAUSED.as_hours() / 24),
        format!("`{RUNS}tenant/environment/generation/`"),
    ] {
        assert!(page.contains(&row), "docs/retention.md says: {row}");
    }
}

#[test]
fn data_is_encrypted_kept_private_and_recoverable() {
    let template = template();
    let (tables, buckets) =
        (resources(&template, "AWS::DynamoDB::Table"), resources(&template, "AWS::S3::Bucket"));
    assert_eq!((tables.len(), buckets.len()), (1, 1));
    for table in tables.values() {
        assert_eq!(table["BillingMode"], "PAY_PER_REQUEST");
        assert_eq!(table["SSESpecification"]["SSEEnabled"], true);
        let recovery = &table["PointInTimeRecoverySpecification"];
        assert_eq!(
            *recovery,
            json!({"PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": 7})
        );
    }
    for bucket in buckets.values() {
        let blocks = bucket["PublicAccessBlockConfiguration"].as_object().unwrap();
        assert!(blocks.len() == 4 && blocks.values().all(|b| *b == true), "{blocks:?}");
        assert!(
            bucket["VersioningConfiguration"].is_null(),
            "an old version would outlive a purge"
        );
    }
    let policies = resources(&template, "AWS::S3::BucketPolicy");
    let statements: Vec<&Value> =
        policies.values().flat_map(|p| list(&p["PolicyDocument"]["Statement"])).collect();
    let tls_only = |s: &&&Value| {
        s["Effect"] == "Deny"
            && s["Condition"]["Bool"]["aws:SecureTransport"] == "false"
            && s["Action"] == "s3:*"
    };
    assert!(statements.iter().any(|s| tls_only(&s)));
}

/// Line 34 of the checklist: what lies in a queue is sealed, a log has its days, and neither the
/// table nor a message is lost with the stack.
#[test]
fn queues_are_encrypted_logs_end_and_data_outlives_the_stack() {
    let template = template();
    for (id, queue) in resources(&template, "AWS::SQS::Queue") {
        let keyed = !queue["KmsMasterKeyId"].is_null();
        assert!(queue["SqsManagedSseEnabled"] == true || keyed, "{id} lies in the clear");
    }
    let logs = resources(&template, "AWS::Logs::LogGroup");
    assert!(logs.len() > functions(&template).len(), "{}", logs.len());
    for (id, log) in logs {
        assert_eq!(target(&log["RetentionInDays"]), Some("LogRetentionDays"), "{id}");
    }
    let all = template["Resources"].as_object().unwrap();
    for (id, resource) in all {
        let kind = resource["Type"].as_str().unwrap();
        if ["AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key"].contains(&kind) {
            assert_eq!(resource["DeletionPolicy"], "RetainExceptOnCreate", "{id}");
            assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{id}");
        }
    }
    for table in resources(&template, "AWS::DynamoDB::Table").values() {
        assert_eq!(target(&table["DeletionProtectionEnabled"]), Some("DeletionProtection"));
    }
    let protection = &template["Parameters"]["DeletionProtection"];
    // A first creation that fails takes its table along; `make deploy` protects what was made.
    assert_eq!(protection["Default"], "false");
}

/// Line 42 of the checklist: a deployment stays in the region that it is deployed to.
#[test]
fn nothing_leaves_the_region_that_is_deployed_to() {
    let template = template();
    let mut elsewhere = Vec::new();
    look_for_regions(&template["Resources"], &mut Vec::new(), &mut elsewhere);
    assert_eq!(elsewhere, Vec::<String>::new(), "copied to, or named in, another region");
}

/// Notes each place of a template that copies across regions or names one.
fn look_for_regions(value: &Value, path: &mut Vec<String>, found: &mut Vec<String>) {
    const COPIES: [&str; 9] = [
        "ReplicationConfiguration",
        "ReplicaRegions",
        "Replicas",
        "ReplicationSpecification",
        "ReplicationGroup",
        "MultiRegion",
        "DestinationRegion",
        "CopyActions",
        "Regions",
    ];
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                path.push(name.clone());
                let is_copy = COPIES.contains(&name.as_str()) && *value != json!(false);
                if is_copy || value == "AWS::DynamoDB::GlobalTable" {
                    found.push(path.join("/"));
                }
                look_for_regions(value, path, found);
                path.pop();
            }
        }
        Value::Array(items) => {
            for value in items {
                look_for_regions(value, path, found);
            }
        }
        Value::String(text) if names_a_region(text) => {
            found.push(format!("{}: {text}", path.join("/")));
        }
        _ => {}
    }
}

/// True if a text holds the name of a region, such as `eu-west-1`.
fn names_a_region(text: &str) -> bool {
    const AREAS: [&str; 10] = ["af", "ap", "ca", "cn", "eu", "il", "me", "mx", "sa", "us"];
    let parts: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    parts.windows(3).any(|words| {
        let is_number = words[2].len() == 1 && words[2].chars().all(|c| c.is_ascii_digit());
        let is_side = ["north", "south", "east", "west", "central"]
            .iter()
            .any(|side| words[1].starts_with(side));
        AREAS.contains(&words[0]) && is_side && is_number
    })
}

#[test]
fn a_region_is_known_by_its_name() {
    for text in ["eu-west-1", "arn:aws:s3:ap-southeast-2:1:x", "us-east-1.amazonaws.com"] {
        assert!(names_a_region(text), "{text}");
    }
    for text in ["crm-sync-import", "us-person-1", "eu-west", "AWS::Region"] {
        assert!(!names_a_region(text), "{text}");
    }
}

#[test]
fn all_that_calls_salesforce_can_do_so_from_a_fixed_address() {
    let template = template();
    for (name, function) in functions(&template) {
        // These make addresses of Salesforce for browsers, and call none themselves.
        let calls = variables(function).contains_key("SALESFORCE_CA_FILE")
            && !["api", "console"].contains(&name);
        let network = &function["VpcConfig"]["Fn::If"][0];
        assert_eq!(calls, network == "HasFixedEgress", "{name}");
    }
}

#[test]
fn a_purge_waits_for_the_longest_of_all_functions() {
    let template = template();
    let grace = template["Parameters"]["PurgeGraceSeconds"]["Default"].as_u64();
    let longest = functions(&template).values().filter_map(|f| f["Timeout"].as_u64()).max();
    assert_eq!(grace, longest);
}

#[test]
fn what_serves_one_machine_alone_is_empty_in_aws() {
    let template = template();
    for parameter in ["BrowserAuthorizeBase", "SalesforceCaFile"] {
        assert_eq!(template["Parameters"][parameter]["Default"], "", "{parameter}");
    }
    let pattern =
        template["Parameters"]["BrowserAuthorizeBase"]["AllowedPattern"].as_str().unwrap();
    assert_eq!(pattern, r"^$|^http://127\.0\.0\.1:[0-9]+$");
    assert_eq!(template["Parameters"]["QueueVisibilitySeconds"]["Default"], 0);
}

/// L5: what makes tests quick is refused where a customer's data is, by the deployment itself.
#[test]
fn what_makes_tests_quick_is_refused_in_production() {
    let template = template();
    let parameters = &template["Parameters"];
    let rule = &template["Rules"]["Production"];
    assert_eq!(
        rule["RuleCondition"],
        json!({"Fn::Not": [{"Fn::Equals": [{"Ref": "Stage"}, "local"]}]})
    );
    assert_ne!(parameters["Stage"]["Default"], "local");
    let mut held = BTreeMap::new();
    for assertion in list(&rule["Assertions"]) {
        let equals = &assertion["Assert"]["Fn::Equals"];
        held.insert(target(&equals[0]).unwrap(), equals[1].as_str().unwrap());
        assert!(assertion["AssertDescription"].is_string());
    }
    for name in
        ["BrowserAuthorizeBase", "PurgeGraceSeconds", "QueueVisibilitySeconds", "SalesforceCaFile"]
    {
        let default = &parameters[name]["Default"];
        let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
        assert_eq!(held[name], default, "{name}");
    }
    assert!(parameters["PurgeGraceSeconds"]["MinValue"].as_u64() > Some(0));
}

/// A5: the app's secret passes through no template, so that no deployment can overwrite it.
#[test]
fn the_template_never_has_the_apps_secret() {
    let template = template();
    let secret = &resources(&template, "AWS::SecretsManager::Secret")["AppSecret"];
    for value in ["SecretString", "GenerateSecretString"] {
        assert!(secret[value].is_null(), "{value} would replace what an operator stored");
    }
    let parameters = template["Parameters"].as_object().unwrap();
    for (name, parameter) in parameters {
        assert!(parameter["NoEcho"].is_null() && !name.contains("Secret"), "{name}");
    }
}

/// A4: a first creation that fails can be rolled back; what a stack leaves can be taken again.
#[test]
fn a_failed_creation_leaves_nothing_and_a_deleted_stack_what_others_rely_on() {
    let template = template();
    assert_eq!(template["Parameters"]["DeletionProtection"]["Default"], "false");
    let kept: BTreeSet<&str> = template["Resources"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, resource)| !resource["DeletionPolicy"].is_null())
        .map(|(id, resource)| {
            assert_eq!(resource["DeletionPolicy"], "RetainExceptOnCreate", "{id}");
            assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{id}");
            id.as_str()
        })
        .collect();
    let expected = ["AppSecret", "Bucket", "EgressAddress", "Key", "Table"];
    assert_eq!(kept, BTreeSet::from(expected));
    let nat = &resources(&template, "AWS::EC2::NatGateway")["NatGateway"]["AllocationId"];
    assert_eq!(nat["Fn::If"][2], json!({"Ref": "EgressAllocationId"}), "an address is kept");
}

/// What people wait for can have its share of the account's concurrency; a new account has none to
/// give.
#[test]
fn concurrency_is_reserved_for_what_people_wait_for_where_it_is_asked_for() {
    let template = template();
    assert_eq!(template["Parameters"]["ReservedConcurrency"]["Default"], 0);
    let share = json!({"Fn::If": [
        "HasReservedConcurrency", {"Ref": "ReservedConcurrency"}, {"Ref": "AWS::NoValue"}
    ]});
    for (name, function) in functions(&template) {
        let waited_for = ["api", "ask", "console", "oauth-callback"].contains(&name);
        let reserved = &function["ReservedConcurrentExecutions"];
        assert_eq!(*reserved == share, waited_for, "{name}: {reserved}");
    }
}

/// A tick that failed is not made up for behind the next ones, an hour late.
#[test]
fn a_tick_is_not_repeated_and_every_function_runs_on_the_processor_that_was_asked_for() {
    let template = template();
    let all = &template["Globals"]["Function"];
    assert_eq!(all["Architectures"], json!([{"Ref": "Architecture"}]));
    for (name, function) in functions(&template) {
        let scheduled = function["Events"].as_object().into_iter().flat_map(Map::values);
        let ticks = scheduled.filter(|event| event["Type"] == "Schedule").count();
        let repeats = &function["EventInvokeConfig"]["MaximumRetryAttempts"];
        assert_eq!(ticks > 0, *repeats == 0, "{name}");
        assert!(function["Architectures"].is_null(), "{name}");
    }
}

/// Who settles ends, or is ended, before another one may take the lease over.
#[test]
fn no_settlement_outlives_its_lease() {
    let template = template();
    let timeout = functions(&template)["match-shard"]["Timeout"].as_i64().unwrap();
    assert!(SETTLE_LEASE.as_secs() > timeout, "{SETTLE_LEASE:?} and {timeout} s");
}

/// L5: no filter lets a library's debug lines through, which hold requests and answers.
#[test]
fn the_filter_of_log_lines_is_held_to_a_pattern() {
    let template = template();
    let filter = &template["Parameters"]["LogFilter"];
    let pattern = regex::Regex::new(filter["AllowedPattern"].as_str().unwrap()).unwrap();
    let good = ["info", "warn", "error", "info,shared=debug", "warn,shared::store::outbox=debug"];
    for good in good.into_iter().chain(filter["Default"].as_str()) {
        assert!(pattern.is_match(good), "{good}");
    }
    for bad in [
        "",
        "debug",
        "trace",
        "info,hyper=trace",
        "info,aws_sdk_kms=debug",
        "shared=debug",
        "info,shared=trace",
        "info,h2=debug,shared=debug",
        "info\ndebug",
        "off",
    ] {
        assert!(!pattern.is_match(bad), "{bad:?}");
    }
}

#[test]
fn every_route_of_the_template_is_described_and_the_other_way_round() {
    let text = tests::read("docs/openapi.yaml").unwrap();
    let described = yaml(&text);
    let outside = described["paths"].as_object().unwrap().keys().filter(|p| !p.starts_with("/v1/"));
    let outside: BTreeSet<String> = outside.map(|path| format!("GET {path}")).collect();
    let template = template();
    let routes = resources(&template, "AWS::ApiGatewayV2::Route");
    let routes = routes.values().map(|route| route["RouteKey"].as_str().unwrap().to_owned());
    let mut routes: BTreeSet<String> = routes.collect();
    assert!(routes.remove("ANY /v1/{proxy+}"));
    // Nearer than the API's own: what asks Salesforce as a seller is another function's.
    let asked = "/v1/tenants/{tenant}/connections/{environment}/seats/{seat}/crm/";
    assert!(routes.remove(&format!("ANY {asked}{{proxy+}}")));
    assert!(described["paths"].as_object().unwrap().keys().any(|path| path.starts_with(asked)));
    // Pages for people, which call the described routes within their function.
    assert!(routes.remove("GET /console") && routes.remove("ANY /console/{proxy+}"));
    assert_eq!(routes, outside);
}

/// What a certificate says of copies is what the template sets up, and the page says.
#[test]
fn what_is_kept_elsewhere_is_kept_as_long_as_a_certificate_says() {
    let template = template();
    let dead: Vec<&Value> = resources(&template, "AWS::SQS::Queue")
        .into_iter()
        .filter(|(id, _)| id.ends_with("DeadLetterQueue"))
        .map(|(_, queue)| &queue["MessageRetentionPeriod"])
        .collect();
    assert_eq!(dead.len(), Queue::ALL.len());
    let seconds = KeptElsewhere::DeadLetters.days() * 86_400;
    assert!(dead.iter().all(|period| period.as_i64() == Some(seconds)), "{dead:?}");
    let tables = resources(&template, "AWS::DynamoDB::Table");
    let (_, table) = tables.into_iter().next().unwrap();
    let copies = &table["PointInTimeRecoverySpecification"]["RecoveryPeriodInDays"];
    assert_eq!(copies.as_i64(), Some(KeptElsewhere::PointInTimeCopies.days()));
    let logs = template["Parameters"]["LogRetentionDays"]["AllowedValues"].as_array().unwrap();
    let longest = logs.iter().filter_map(Value::as_i64).max();
    assert_eq!(longest, Some(KeptElsewhere::Logs.days()));
    let page = tests::read("docs/retention.md").unwrap();
    for said in
        ["| DynamoDB | 7 days |", "| SQS | 14 days |", "365 at most", "three years an entry"]
    {
        assert!(page.contains(said), "docs/retention.md does not say {said}");
    }
}
