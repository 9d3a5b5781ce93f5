//! The wire form of every message: bodies wait in queues and due items while a new version is
//! deployed.

use super::{Envelope, ImportMessage, Message};

const SCOPE: &str = concat!(
    r#""scope":{"tenant":"ten_01KA5ZB2V4QN8X3M7C6D9F0GHJ","#,
    r#""environment":"production","generation":1}"#,
);
const RUN: &str = r#""run":"run_01KA5ZB2V4QN8X3M7C6D9F0GH1""#;
const MATCH_RUN: &str = r#""run":"mrun_01KA5ZB2V4QN8X3M7C6D9F0GH1""#;
const SEAT: &str = r#""seat":"seat_01KA5ZB2V4QN8X3M7C6D9F0GH1""#;
const VERSION: &str = r#""version":"dir_01KA5ZB2V4QN8X3M7C6D9F0GH1""#;

/// Every kind with the rest of its body.
fn bodies() -> Vec<(&'static str, String)> {
    let model = r#""model":"mod_01KA5ZB2V4QN8X3M7C6D9F0GH1""#;
    let activity = r#""activity":"act_01KA5ZB2V4QN8X3M7C6D9F0GH1""#;
    let event =
        r#""time":"2026-11-22T03:00:00Z","occurrence":{"type":"crm-sync.connection.purged"}"#;
    vec![
        ("import_start", format!(r#"{SCOPE},{RUN},"trigger":"scheduled""#)),
        ("import_object", format!(r#"{SCOPE},{RUN},"object":"Contact","step":3"#)),
        ("import_hand_over", format!(r#"{SCOPE},{RUN},"step":3"#)),
        ("rematch", format!(r#"{SCOPE},{MATCH_RUN},"trigger":"settings","step":0"#)),
        (
            "match_batch",
            format!(r#"{SCOPE},{MATCH_RUN},"batch":1,"entity_kind":"person","shard":2"#),
        ),
        ("settle", format!(r#"{SCOPE},{MATCH_RUN},"batch":1"#)),
        ("correct", format!(r#"{SCOPE},"object":"Lead","record":"00Q000000000001EAA""#)),
        ("tune_model", format!(r#"{SCOPE},{model},"step":0"#)),
        ("auto_save", format!(r#"{SCOPE},"opportunities":["006000000000001AAA"]"#)),
        (
            "auto_save_records",
            format!(r#"{SCOPE},"object":"Contact","records":["003000000000001AAA"]"#),
        ),
        ("auto_save_owner", format!(r#"{SCOPE},"user":"005000000000001AAA""#)),
        ("auto_save_seat", format!("{SCOPE},{SEAT}")),
        ("auto_save_everything", format!(r#"{SCOPE},"rules":3,"step":9"#)),
        ("auto_save_directory", format!(r#"{SCOPE},{MATCH_RUN},"step":9"#)),
        ("writeback", format!("{SCOPE},{activity}")),
        ("release", format!("{SCOPE},{SEAT}")),
        ("release", format!(r#"{SCOPE},"seat":null"#)),
        ("linked", format!(r#"{SCOPE},"entity_kind":"person","entity":"pe_1""#)),
        ("upkeep", format!(r#"{SCOPE},"step":9"#)),
        ("inspect", SCOPE.to_owned()),
        ("preview_mapping", format!(r#"{SCOPE},"asked_at":"2026-11-22T03:00:00Z""#)),
        ("revoke", format!(r#"{SCOPE},"grant":2,"step":1"#)),
        ("end_grant", format!(r#"{SCOPE},{SEAT},"authorized_at":"2026-11-22T03:00:00Z""#)),
        ("remove_tenant", r#""tenant":"ten_01KA5ZB2V4QN8X3M7C6D9F0GHJ""#.to_owned()),
        ("purge", format!(r#"{SCOPE},"step":0"#)),
        ("export_step", format!(r#"{SCOPE},"export":"exp_01KA5ZB2V4QN8X3M7C6D9F0GHJ","step":2"#)),
        ("export_clear", format!(r#"{SCOPE},"export":"exp_01KA5ZB2V4QN8X3M7C6D9F0GHJ""#)),
        ("publish", format!(r#""event":{{{SCOPE},{event}}}"#)),
        ("directory_count", VERSION.to_owned()),
        ("directory_shard", format!(r#"{VERSION},"entity_kind":"company","shard":7"#)),
        ("directory_fan_out", format!(r#"{VERSION},"after":null"#)),
        ("directory_retire", format!(r#"{VERSION},"after":"a""#)),
    ]
}

#[test]
fn every_message_keeps_its_wire_form() {
    for (kind, rest) in bodies() {
        let body = format!(r#"{{"kind":"{kind}",{rest}}}"#);
        let message: Message = serde_json::from_str(&body).expect(&body);
        assert_eq!(message.kind(), kind);
        assert_eq!(serde_json::to_string(&message).unwrap(), body);
    }
}

#[test]
fn no_two_messages_share_a_kind() {
    let mut kinds: Vec<_> = bodies().into_iter().map(|(kind, _)| kind).collect();
    kinds.dedup();
    let all = kinds.len();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!((kinds.len(), all), (31, 31));
}

#[test]
fn a_receiver_reads_only_messages_of_its_own() {
    for (kind, rest) in bodies() {
        let body = format!(r#"{{"v":1,"message":{{"kind":"{kind}",{rest}}}}}"#);
        let read = Envelope::<ImportMessage>::parse(&body);
        assert_eq!(read.is_ok(), kind.starts_with("import_"), "{body}");
    }
}
