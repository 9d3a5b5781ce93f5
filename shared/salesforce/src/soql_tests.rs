use super::*;
use crate::SalesforceId;
use jiff::Timestamp;
use jiff::civil::Date;
use proptest::prelude::*;

fn a_moment() -> Timestamp {
    "2026-01-31T10:00:00.5Z".parse().unwrap()
}

fn text_of(select: &Select) -> String {
    select.build().unwrap().as_str().to_owned()
}

#[test]
fn a_query_is_written_as_salesforce_reads_it() {
    let id: SalesforceId = "003D000000QTYgN".parse().unwrap();
    let select = Select::from("Contact")
        .fields(["Id", "Name", "id", "Account.Owner.Name", "My_Field__c"])
        .filter(Condition::all([
            Condition::ge("SystemModstamp", a_moment()),
            Condition::any([Condition::gt("Id", id), Condition::eq("IsDeleted", true)]),
        ]))
        .filter(Condition::ne("Email", Value::Null))
        .order_by("SystemModstamp", Direction::Ascending)
        .order_by("Id", Direction::Descending)
        .limit(2000);
    assert_eq!(
        text_of(&select),
        "SELECT Id,Name,Account.Owner.Name,My_Field__c FROM Contact \
         WHERE (SystemModstamp >= 2026-01-31T10:00:00.500Z AND (Id > '003D000000QTYgNIAX' OR \
         IsDeleted = true)) AND Email != null ORDER BY SystemModstamp ASC, Id DESC LIMIT 2000"
    );
}

#[test]
fn lists_counts_and_prefixes_have_their_forms() {
    assert_eq!(text_of(&Select::count("Account")), "SELECT COUNT() FROM Account");
    let day: Date = "2026-01-31".parse().unwrap();
    for (condition, text) in [
        (Condition::is_in("StageName", ["A", "B's"]), r"StageName IN ('A','B\'s')"),
        (Condition::not_in("NumberOfEmployees", [1, -2]), "NumberOfEmployees NOT IN (1,-2)"),
        (Condition::starts_with("Name", "50%_off\\"), r"Name LIKE '50\%\_off\\%'"),
        (Condition::not(Condition::le("CloseDate", day)), "(NOT CloseDate <= 2026-01-31)"),
        (Condition::lt("Amount__c", 5), "Amount__c < 5"),
    ] {
        let query = text_of(&Select::count("X").filter(condition));
        assert_eq!(query.strip_prefix("SELECT COUNT() FROM X WHERE ").unwrap(), text);
    }
}

#[test]
fn names_that_are_not_names_are_refused_wherever_they_stand() {
    for bad in [
        "",
        " ",
        "Id,Name",
        "Name FROM User",
        "1d",
        "_x",
        "a..b",
        ".a",
        "a.",
        "N\u{e4}me",
        "a-b",
        "Id\n",
        "a'",
    ] {
        let error = Err(SoqlError::Name(bad.to_owned()));
        assert_eq!(Select::count(bad).build(), error);
        assert_eq!(Select::from("Account").fields([bad]).build(), error);
        assert_eq!(Select::count("Account").filter(Condition::eq(bad, 1)).build(), error);
        assert_eq!(
            Select::count("Account").filter(Condition::starts_with(bad, "x")).build(),
            error
        );
        assert_eq!(Select::count("Account").filter(Condition::is_in(bad, ["x"])).build(), error);
        assert_eq!(Select::count("Account").order_by(bad, Direction::Ascending).build(), error);
    }
    assert!(Select::count("Account.Name").build().is_err());
}

#[test]
fn what_salesforce_cannot_express_is_refused() {
    assert_eq!(Select::from("Account").build(), Err(SoqlError::NoFields));
    let empty = Select::count("Account").filter(Condition::is_in::<&str>("Name", []));
    assert_eq!(empty.build(), Err(SoqlError::Empty));
    let empty = Select::count("Account").filter(Condition::any([]));
    assert_eq!(empty.build(), Err(SoqlError::Empty));
    let long = Select::count("Account").filter(Condition::eq("Name", "x".repeat(100_001)));
    assert!(matches!(long.build(), Err(SoqlError::TooLong(_))));
}

#[test]
fn a_long_query_is_told_from_one_that_fits_a_url() {
    let query = |n: usize| Select::count("Account").filter(Condition::eq("Name", "'".repeat(n)));
    assert!(query(100).build().unwrap().fits_rest());
    assert!(!query(3_000).build().unwrap().fits_rest());
}

#[test]
fn debug_shows_no_literal() {
    let query = Select::count("Lead").filter(Condition::eq("Email", "eve@example.com")).build();
    assert!(!format!("{query:?}").contains("eve"));
}

/// Reads one SOQL text literal by the rules of the SOQL reference, and gives what is left after it.
fn read_literal(text: &str) -> Option<(String, &str)> {
    let mut chars = text.strip_prefix('\'')?.char_indices();
    let mut out = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Some((out, &text[at + 2..])),
            '\\' => out.push(match chars.next()?.1 {
                'n' | 'N' => '\n',
                'r' | 'R' => '\r',
                't' | 'T' => '\t',
                'b' | 'B' => '\u{8}',
                'f' | 'F' => '\u{c}',
                c @ ('\\' | '\'' | '"' | '_' | '%') => c,
                _ => return None,
            }),
            '\n' | '\r' => return None,
            c => out.push(c),
        }
    }
    None
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        proptest::collection::vec(
            prop_oneof![
                Just('\\'),
                Just('\''),
                Just('"'),
                Just('\n'),
                Just('%'),
                Just('_'),
                Just('n'),
                Just('\0')
            ],
            0..12
        )
        .prop_map(String::from_iter),
        Just("' OR Name != '".to_owned()),
    ]
}

proptest! {
    #[test]
    fn any_text_comes_back_from_its_literal(text in any_text()) {
        let query = text_of(&Select::count("Account").filter(Condition::eq("Name", &text)));
        let literal = query.strip_prefix("SELECT COUNT() FROM Account WHERE Name = ").unwrap();
        prop_assert_eq!(read_literal(literal), Some((text, "")));
    }

    #[test]
    fn any_list_comes_back_from_its_literals(texts in proptest::collection::vec(any_text(), 1..6)) {
        let query = text_of(&Select::count("Account").filter(Condition::is_in("Name", &texts)));
        let mut rest = query.strip_prefix("SELECT COUNT() FROM Account WHERE Name IN (").unwrap();
        for (i, text) in texts.iter().enumerate() {
            let (read, left) = read_literal(rest).unwrap();
            prop_assert_eq!(&read, text);
            rest = left.strip_prefix(if i + 1 < texts.len() { ',' } else { ')' }).unwrap();
        }
        prop_assert_eq!(rest, "");
    }

    #[test]
    fn a_prefix_matches_only_itself(text in any_text()) {
        let query = text_of(&Select::count("Account").filter(Condition::starts_with("Name",
            &text)));
        let literal = query.strip_prefix("SELECT COUNT() FROM Account WHERE Name LIKE ").unwrap();
        // Every wildcard but the last is escaped.
        let body = &literal[1..literal.len() - 2];
        let mut escaped = false;
        for c in body.chars() {
            prop_assert!(escaped || !matches!(c, '%' | '_' | '\''));
            escaped = c == '\\' && !escaped;
        }
        prop_assert!(!escaped && literal.ends_with("%'"));
        let expected = format!("{text}%");
        prop_assert_eq!(read_literal(literal), Some((expected, "")));
    }

    #[test]
    fn only_names_of_the_pattern_are_taken(text in "\\PC{0,12}|[A-Za-z][A-Za-z0-9_.]{0,12}") {
        if Select::from("Account").fields([&text]).build().is_ok() {
            prop_assert!(text.starts_with(|c: char| c.is_ascii_alphabetic()));
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.'));
        }
    }
}
