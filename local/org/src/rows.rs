//! The rows of the org, one struct per object, fields in the order of their columns.
//!
//! A struct's fields are the object's API names in snake case. Fields that the base data hold are
//! read from it and never changed; the generator fills the others. An empty string is Salesforce's
//! null.

#![expect(clippy::struct_field_names, reason = "the fields are Salesforce's own")]

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::time::{Audit, Stamp};

macro_rules! rows {
    ($(
        $(#[$meta:meta])*
        $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Default, Deserialize, Serialize)]
        #[serde(rename_all = "PascalCase", default)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)*
            pub(crate) last_modified_date: Stamp,
            pub(crate) system_modstamp: Stamp,
        }

        impl $name {
            /// Sets when the row was last changed, by people and by the system.
            pub(crate) fn touch(&mut self, audit: &Audit) {
                self.last_modified_date = audit.modified;
                self.system_modstamp = audit.stamp;
            }
        }
    )*};
}

rows! {
    /// One of the org's people.
    User {
        id: String,
        username: String,
        name: String,
        first_name: String,
        last_name: String,
        email: String,
        title: String,
        department: String,
        phone: String,
        mobile_phone: String,
        is_active: bool,
        user_role_id: String,
        user_type: String,
        profile_id: String,
        time_zone_sid_key: String,
        created_date: Stamp,
    }

    /// The name of a set of permissions; `org.json` holds the permissions themselves.
    Profile {
        id: String,
        name: String,
        created_date: Stamp,
    }

    /// A public group; the generator makes one queue.
    Group {
        id: String,
        name: String,
        developer_name: String,
        #[serde(rename = "Type")]
        kind: String,
        created_date: Stamp,
    }

    /// A node of the role tree. Salesforce keeps no creation date of it.
    UserRole {
        id: String,
        name: String,
        developer_name: String,
        parent_role_id: String,
    }

    /// A company that the org sells to.
    Account {
        id: String,
        name: String,
        website: String,
        phone: String,
        fax: String,
        billing_street: String,
        billing_city: String,
        billing_state: String,
        billing_postal_code: String,
        billing_country: String,
        shipping_street: String,
        shipping_city: String,
        shipping_state: String,
        shipping_postal_code: String,
        shipping_country: String,
        industry: String,
        number_of_employees: String,
        annual_revenue: String,
        #[serde(rename = "Type")]
        kind: String,
        rating: String,
        ownership: String,
        ticker_symbol: String,
        description: String,
        parent_id: String,
        owner_id: String,
        last_activity_date: Option<Date>,
        last_referenced_date: Option<Stamp>,
        last_viewed_date: Option<Stamp>,
        is_deleted: bool,
        created_date: Stamp,
    }

    /// A person at an account.
    Contact {
        id: String,
        account_id: String,
        first_name: String,
        last_name: String,
        name: String,
        title: String,
        department: String,
        email: String,
        phone: String,
        fax: String,
        mailing_street: String,
        mailing_city: String,
        mailing_state: String,
        mailing_country: String,
        lead_source: String,
        description: String,
        do_not_call: bool,
        has_opted_out_of_email: bool,
        owner_id: String,
        last_activity_date: Option<Date>,
        last_referenced_date: Option<Stamp>,
        last_viewed_date: Option<Stamp>,
        is_deleted: bool,
        created_date: Stamp,
    }

    /// A person not yet qualified; its company is free text.
    Lead {
        id: String,
        first_name: String,
        last_name: String,
        company: String,
        title: String,
        email: String,
        phone: String,
        street: String,
        city: String,
        state: String,
        country: String,
        website: String,
        industry: String,
        lead_source: String,
        status: String,
        do_not_call: bool,
        has_opted_out_of_email: bool,
        owner_id: String,
        is_converted: bool,
        converted_date: Option<Date>,
        converted_account_id: String,
        converted_contact_id: String,
        converted_opportunity_id: String,
        is_unread_by_owner: bool,
        last_activity_date: Option<Date>,
        last_referenced_date: Option<Stamp>,
        last_viewed_date: Option<Stamp>,
        is_deleted: bool,
        created_date: Stamp,
    }

    /// A stage of the pipeline, in `sort_order`.
    OpportunityStage {
        id: String,
        master_label: String,
        api_name: String,
        is_active: bool,
        sort_order: u32,
        is_closed: bool,
        is_won: bool,
        default_probability: u32,
        forecast_category_name: String,
        created_date: Stamp,
    }

    /// A deal.
    Opportunity {
        id: String,
        account_id: String,
        name: String,
        stage_name: String,
        amount: String,
        probability: u32,
        close_date: Option<Date>,
        #[serde(rename = "Type")]
        kind: String,
        lead_source: String,
        is_closed: bool,
        is_won: bool,
        owner_id: String,
        last_activity_date: Option<Date>,
        last_referenced_date: Option<Stamp>,
        last_viewed_date: Option<Stamp>,
        is_deleted: bool,
        created_date: Stamp,
    }

    /// A contact's part in a deal.
    OpportunityContactRole {
        id: String,
        opportunity_id: String,
        contact_id: String,
        role: String,
        is_primary: bool,
        is_deleted: bool,
        created_date: Stamp,
    }

    /// A user who works an account together with its owner.
    AccountTeamMember {
        id: String,
        account_id: String,
        user_id: String,
        team_member_role: String,
        account_access_level: String,
        opportunity_access_level: String,
        contact_access_level: String,
        is_deleted: bool,
        created_date: Stamp,
    }

    /// A to-do, a call or an e-mail, done or open.
    Task {
        id: String,
        who_id: String,
        what_id: String,
        owner_id: String,
        subject: String,
        status: String,
        priority: String,
        activity_date: Option<Date>,
        task_subtype: String,
        is_deleted: bool,
        created_date: Stamp,
    }

    /// A meeting.
    Event {
        id: String,
        who_id: String,
        what_id: String,
        owner_id: String,
        subject: String,
        #[serde(rename = "Type")]
        kind: String,
        is_private: bool,
        is_group_event: bool,
        is_recurrence: bool,
        activity_date: Option<Date>,
        start_date_time: Option<Stamp>,
        end_date_time: Option<Stamp>,
        is_deleted: bool,
        created_date: Stamp,
    }

    /// A classic note under a record.
    Note {
        id: String,
        parent_id: String,
        title: String,
        body: String,
        owner_id: String,
        is_private: bool,
        is_deleted: bool,
        created_date: Stamp,
    }
}
