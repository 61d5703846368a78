use database::{Error, NewPanel, NewTicket};
use model::{PanelId, PanelState};

use crate::support::*;

fn help() -> NewPanel {
    NewPanel {
        guild: GUILD,
        channel: fresh(),
        title: "Help".to_owned(),
        body: "Press the button".to_owned(),
        button_label: "Open".to_owned(),
    }
}

#[tokio::test]
async fn a_panel_is_made_posted_and_lost() {
    let scratch = scratch().await;
    let mut panels = scratch.database.panels();
    let new = help();
    let panel = panels.insert(&new).await.unwrap();
    assert_eq!((panel.guild, panel.channel), (new.guild, new.channel));
    assert_eq!((&panel.title, &panel.body), (&new.title, &new.body));
    assert_eq!(panel.button_label, new.button_label);
    assert_eq!((panel.state, panel.message), (PanelState::Unposted, None));

    let channel = fresh();
    let panel = panels.set_posting(GUILD, panel.id, channel).await.unwrap();
    assert_eq!((panel.state, panel.channel), (PanelState::Posting, channel));

    let message = fresh();
    let panel = panels.set_posted(GUILD, panel.id, message).await.unwrap();
    assert_eq!((panel.state, panel.message), (PanelState::Posted, Some(message)));
    assert_eq!(panels.list(GUILD).await.unwrap(), std::slice::from_ref(&panel));

    let panel = panels.set_unposted(GUILD, panel.id).await.unwrap();
    assert_eq!((panel.state, panel.message), (PanelState::Unposted, None));
}

#[tokio::test]
async fn panels_are_listed_oldest_first() {
    let scratch = scratch().await;
    let mut panels = scratch.database.panels();
    let first = panels.insert(&help()).await.unwrap();
    let second = panels.insert(&help()).await.unwrap();
    let first = panels.set_posting(GUILD, first.id, fresh()).await.unwrap();
    assert_eq!(panels.list(GUILD).await.unwrap(), [first, second]);
}

#[tokio::test]
async fn a_deleted_panel_leaves_its_tickets() {
    let scratch = scratch().await;
    let db = &scratch.database;
    let panel = db.panels().insert(&help()).await.unwrap();
    let new = NewTicket { panel: Some(panel.id), ..click() };
    let ticket = opening(db, &new).await;
    assert_eq!(ticket.panel, Some(panel.id));
    sqlx::query("delete from panels where panel_id = $1")
        .bind(panel.id.0)
        .execute(&mut raw(&scratch).await)
        .await
        .unwrap();
    let ticket = reread(db, ticket.key).await;
    assert_eq!((ticket.panel, ticket.key.guild), (None, GUILD));
}

#[tokio::test]
async fn changing_a_panel_that_is_not_there_is_an_error() {
    let scratch = scratch().await;
    let changed = scratch.database.panels().set_posted(GUILD, PanelId(5), fresh()).await;
    let error = changed.unwrap_err();
    assert!(matches!(error, Error::NoPanel { .. }));
    assert_eq!(error.to_string(), "there is no panel 5 in guild 1001");
}
