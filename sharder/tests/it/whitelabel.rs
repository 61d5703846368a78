//! Customers' bots come, change and go while the process runs, and none disturbs another.

use std::time::Duration;

use common::crypto::Vault;
use discord_sim::{RestFault, RestMatch, gateway::Target, state::Principal};
use model::{Activity, ActivityKind, NoticeState, Presence, PresenceStatus};
use secrecy::ExposeSecret;
use sharder::whitelabel::{Config, Process, Timing};

use crate::whitelabel_town::{Customer, Door, Town};

fn quick() -> Timing {
    Timing { sweep: Duration::from_millis(300), notice: Duration::from_secs(1), ..Timing::default() }
}

fn presence(status: PresenceStatus, text: &str) -> Presence {
    Presence { status, activity: Some(Activity { kind: ActivityKind::Watching, text: text.to_owned() }) }
}

/// Two bots that are connected.
async fn two(town: &Town) -> (Customer, Customer) {
    let (one, other) = (town.customer(false), town.customer(true));
    town.add(one).await;
    town.add(other).await;
    town.connected(one).await;
    town.connected(other).await;
    (one, other)
}

#[tokio::test]
async fn a_bot_that_is_added_connects_at_once_and_its_events_reach_kafka_as_its_own() {
    let town = Town::build().await;
    let holder = town.start().await;
    holder.until_metric("whitelabel_bots{state=\"running\"}", 0).await;
    let customer = town.customer(false);
    town.add(customer).await;
    town.connected(customer).await;
    town.chat(customer, 50);
    let events = town.all_in_kafka(customer).await;
    assert!(events.len() > 51, "READY, its guild, and what was said");
    assert!(events.iter().all(|event| (event.bot, event.shard) == (customer.bot, 0)));
    holder.until_metric("whitelabel_bots{state=\"running\"}", 1).await;
    // Long after the looks that come with the start.
    let other = town.customer(true);
    town.add(other).await;
    town.connected(other).await;
    holder.stop().await;
    town.assert_well_behaved();
}

#[tokio::test]
async fn another_token_is_taken_up_by_a_resume_without_a_lost_event_or_a_touch_of_others() {
    let town = Town::build().await;
    let holder = town.start().await;
    let (customer, other) = two(&town).await;
    let session = town.connected(customer).await;
    let untouched = (town.connected(other).await, town.history(other));
    for round in 1..=3 {
        town.chat(customer, 100);
        // Discord keeps the session, as it may.
        town.sim.write(|state| state.users.get_mut(&customer.bot.cast()).unwrap().token = format!("token-{round}"));
        town.set_token(customer).await;
        town.chat(customer, 100);
        town.sim
            .wait_for("a RESUME with the new token", |state| {
                let resumes = state.ledger.resumes.iter().filter(|resume| resume.bot == customer.bot);
                (resumes.count() == round).then_some(())
            })
            .await;
        town.chat(other, 20);
    }
    town.all_in_kafka(customer).await;
    town.all_in_kafka(other).await;
    assert_eq!(town.connected(customer).await, session);
    assert_eq!(town.history(customer), (1, 3, vec![Some(4000); 3]), "closed so that it can be resumed");
    assert_eq!((town.connected(other).await, town.history(other)), untouched);
    assert!(town.row(customer).await.bot.refusal.is_none());
    holder.stop().await;
    town.assert_well_behaved();
}

#[tokio::test]
async fn a_token_that_discord_reset_is_refused_and_the_new_one_starts_a_session() {
    let town = Town::build().await;
    let holder = town.start().await;
    let (customer, other) = two(&town).await;
    let untouched = (town.connected(other).await, town.history(other));
    let old = town.connected(customer).await;
    town.chat(customer, 20);
    town.sim.write(|state| state.reset_token(customer.bot));
    town.until_row(customer, "its refusal", |row| row.bot.refusal.is_some()).await;
    town.set_token(customer).await;
    assert_ne!(town.connected(customer).await, old);
    assert!(town.row(customer).await.bot.refusal.is_none(), "it is as new");
    town.chat(customer, 20);
    town.all_in_kafka(customer).await;
    assert_eq!((town.connected(other).await, town.history(other)), untouched);
    holder.stop().await;
}

#[tokio::test]
async fn a_revoked_bot_is_noted_its_owner_told_once_and_everything_else_left_as_it_was() {
    let town = Town::build().await;
    let holder = town.start_with(Config { timing: quick(), ..town.config() }).await;
    let (customer, other) = two(&town).await;
    let untouched = (town.connected(other).await, town.history(other));
    let before = town.row(customer).await;
    town.chat(customer, 30);
    town.sim.write(|state| state.reset_token(customer.bot));

    let told = |row: &database::WhitelabelRow| {
        row.bot.refusal.as_ref().is_some_and(|refusal| matches!(refusal.notice, NoticeState::Told(_)))
    };
    let row = town.until_row(customer, "its owner told", told).await;
    let refusal = row.bot.refusal.unwrap();
    assert_eq!(refusal.code, 4004);
    assert!(refusal.reason.contains("developer portal"), "{}", refusal.reason);
    assert_eq!((row.token, row.bot.enabled), (before.token, true), "nothing is deleted");
    holder.until_metric("whitelabel_bots{state=\"refused\"}", 1).await;
    holder.until_metric("whitelabel_bots{state=\"running\"}", 1).await;
    holder.until_metric("whitelabel_refusals_total{code=\"4004\"}", 1).await;
    holder.until_metric("whitelabel_notices_total{result=\"told\"}", 1).await;
    holder.until("/readyz", "ready").await;

    town.chat(other, 30);
    town.all_in_kafka(other).await;
    town.all_in_kafka(customer).await;
    let messages = town.told(customer);
    assert_eq!(messages.len(), 1, "{messages:?}");
    let text = &messages[0].content;
    assert!(text.contains(&customer.bot.to_string()) && text.contains("4004"), "{text}");
    assert!(town.told(other).is_empty());
    assert_eq!((town.connected(other).await, town.history(other)), untouched);
    assert_eq!(town.history(customer).0, 1, "a token that was refused is not tried again");

    // A restart neither tries it again nor tells again.
    holder.stop().await;
    let holder = town.start_with(Config { timing: quick(), ..town.config() }).await;
    town.connected(other).await;
    holder.until_metric("whitelabel_bots{state=\"refused\"}", 1).await;
    assert_eq!((town.told(customer).len(), town.history(customer).0), (1, 1));
    holder.stop().await;
    town.assert_well_behaved();
}

#[tokio::test]
async fn a_token_that_is_wrong_from_the_start_is_asked_once() {
    let town = Town::build().await;
    let holder = town.start().await;
    let customer = town.customer(false);
    town.add_silently(customer).await;
    town.sim.write(|state| state.reset_token(customer.bot));
    town.signal(customer).await;
    let row = town.until_row(customer, "its refusal", |row| row.bot.refusal.is_some()).await;
    assert_eq!(row.bot.refusal.unwrap().code, 401);
    assert_eq!(town.refused_requests(), 1);
    holder.stop().await;
}

#[tokio::test]
async fn a_notice_that_was_sent_and_not_answered_is_sent_again_and_seen_once() {
    let town = Town::build().await;
    let holder = town.start_with(Config { timing: quick(), ..town.config() }).await;
    let customer = town.customer(false);
    town.sim.write(|state| {
        let template = "/channels/{channel_id}/messages";
        state.rest_faults.push((RestMatch { method: "POST", template, times: 1 }, RestFault::FailAfterEffect));
    });
    town.add_silently(customer).await;
    town.sim.write(|state| state.reset_token(customer.bot));
    town.signal(customer).await;
    holder.until_metric("whitelabel_notices_total{result=\"told\"}", 1).await;
    holder.until_metric("whitelabel_notices_total{result=\"failed\"}", 1).await;
    assert_eq!(town.told(customer).len(), 1);
    holder.stop().await;
    town.assert_well_behaved();
}

#[tokio::test]
async fn a_process_that_died_while_telling_is_taken_over_and_the_owner_is_told_once() {
    let town = Town::build().await;
    let customer = town.customer(false);
    town.add_silently(customer).await;
    town.sim.write(|state| {
        state.reset_token(customer.bot);
        let template = "/channels/{channel_id}/messages";
        state.rest_faults.push((RestMatch { method: "POST", template, times: 1 }, RestFault::Delay(Duration::MAX)));
    });
    let holder = town.start_with(Config { timing: quick(), ..town.config() }).await;
    town.until_told(customer).await;
    holder.kill();
    let holder = town.start_with(Config { timing: quick(), ..town.config() }).await;
    holder.until_metric("whitelabel_notices_total{result=\"told\"}", 1).await;
    assert_eq!(town.told(customer).len(), 1);
    holder.stop().await;
}

#[tokio::test]
async fn an_owner_who_takes_no_messages_is_tried_once_and_that_is_noted() {
    let town = Town::build().await;
    let holder = town.start_with(Config { timing: quick(), ..town.config() }).await;
    let customer = town.customer(false);
    town.sim.write(|state| state.users.get_mut(&customer.owner).unwrap().dms_closed = true);
    town.add_silently(customer).await;
    town.sim.write(|state| state.reset_token(customer.bot));
    town.signal(customer).await;
    let settled = |row: &database::WhitelabelRow| {
        row.bot.refusal.as_ref().is_some_and(|refusal| refusal.notice == NoticeState::Undeliverable)
    };
    town.until_row(customer, "the notice given up", settled).await;
    holder.until_metric("whitelabel_notices_total{result=\"undeliverable\"}", 1).await;
    holder.stop().await;
}

#[tokio::test]
async fn a_bot_without_the_intent_is_refused_with_the_way_to_enable_it_and_can_do_without() {
    let town = Town::build().await;
    let holder = town.start().await;
    let customer = town.customer(false);
    town.sim.write(|state| state.applications.get_mut(&customer.bot).unwrap().privileged_intents = 0);
    town.add(customer).await;
    let row = town.until_row(customer, "its refusal", |row| row.bot.refusal.is_some()).await;
    let refusal = row.bot.refusal.unwrap();
    assert_eq!(refusal.code, 4014);
    assert!(refusal.reason.contains("Message Content"), "{}", refusal.reason);

    town.db().whitelabel_bots().enable(customer.bot, Some(false)).await.unwrap();
    town.signal(customer).await;
    let session = town.connected(customer).await;
    let intents = town.sim.read(|state| state.sessions.by_id[&session].intents);
    assert_eq!(intents & 1 << 15, 0);
    holder.stop().await;
}

#[tokio::test]
async fn a_presence_is_shown_at_once_on_the_same_connection_and_in_the_next_session() {
    let town = Town::build().await;
    let holder = town.start().await;
    let (customer, other) = two(&town).await;
    let session = town.connected(customer).await;
    let shown = presence(PresenceStatus::DoNotDisturb, "12 tickets");
    town.db().whitelabel_bots().set_presence(customer.bot, Some(&shown)).await.unwrap();
    town.signal(customer).await;
    let on = |session: String, status: &'static str| {
        town.sim.wait_for("the presence", move |state| {
            let presence = state.sessions.by_id.get(&session)?.presence.as_ref()?;
            (presence["status"] == status).then(|| presence.clone())
        })
    };
    let seen = on(session.clone(), "dnd").await;
    assert_eq!((&seen["activities"][0]["name"], &seen["activities"][0]["type"]), (&"12 tickets".into(), &3.into()));
    assert_eq!(town.history(customer), (1, 0, vec![]), "on the same connection");

    town.sim.write(|state| state.sessions.invalidate(&Target::bot(customer.bot), false));
    let next = town
        .sim
        .wait_for("another session", |state| {
            let mut sessions = state.sessions.by_id.values();
            let next = sessions.find(|next| next.principal == Principal::Bot(customer.bot) && next.id != session)?;
            Some(next.id.clone())
        })
        .await;
    on(next, "dnd").await;
    let others = town.connected(other).await;
    assert!(town.sim.read(|state| state.sessions.by_id[&others].presence.is_none()));
    holder.stop().await;
    town.assert_well_behaved();
}

#[tokio::test]
async fn of_many_presences_in_a_row_the_last_one_is_shown_and_the_gateway_is_not_flooded() {
    let town = Town::build().await;
    let holder = town.start().await;
    let customer = town.customer(false);
    town.add(customer).await;
    let session = town.connected(customer).await;
    for number in 0..150 {
        let shown = presence(PresenceStatus::Idle, &format!("{number} tickets"));
        town.db().whitelabel_bots().set_presence(customer.bot, Some(&shown)).await.unwrap();
        town.signal(customer).await;
    }
    town.sim
        .wait_for("the last presence", |state| {
            let presence = state.sessions.by_id.get(&session)?.presence.as_ref()?;
            (presence["activities"][0]["name"] == "149 tickets").then_some(())
        })
        .await;
    assert_eq!(town.history(customer), (1, 0, vec![]), "120 commands in a minute would close the connection");
    holder.stop().await;
}

#[tokio::test]
async fn what_was_not_signalled_is_found_by_a_sweep() {
    let town = Town::build().await;
    let holder = town.start_with(Config { timing: quick(), ..town.config() }).await;
    let customer = town.customer(false);
    town.add_silently(customer).await;
    town.connected(customer).await;
    holder.until("/metrics", "whitelabel_sweeps_total{result=\"done\"").await;
    town.db().whitelabel_bots().disable(customer.bot).await.unwrap();
    holder.until_metric("whitelabel_bots{state=\"disabled\"}", 1).await;
    holder.until_metric("whitelabel_bots{state=\"running\"}", 0).await;
    assert_eq!(town.history(customer).2, [Some(4000)]);
    holder.stop().await;
}

#[tokio::test]
async fn while_postgres_is_away_bots_go_on_and_what_changed_is_found_after() {
    let town = Town::build().await;
    let (door, database) = Door::before_postgres(&town).await;
    let holder = town.start_with(Config { timing: quick(), database, ..town.config() }).await;
    let (customer, other) = two(&town).await;
    let untouched = (town.connected(other).await, town.history(other));
    door.shut();
    let reason = holder.until("/readyz", "postgres").await;
    assert!(!reason.contains("password"), "{reason}");
    town.chat(other, 20);
    town.all_in_kafka(other).await;
    town.db().whitelabel_bots().disable(customer.bot).await.unwrap();
    let third = town.customer(false);
    town.add_silently(third).await;
    assert_eq!((town.connected(other).await, town.history(other)), untouched);
    door.open();
    holder.until("/readyz", "ready").await;
    town.connected(third).await;
    holder.until_metric("whitelabel_bots{state=\"disabled\"}", 1).await;
    assert_eq!((town.connected(other).await, town.history(other)), untouched);
    holder.stop().await;
}

#[tokio::test]
async fn a_refusal_while_postgres_is_away_is_written_down_once_it_is_back() {
    let town = Town::build().await;
    let (door, database) = Door::before_postgres(&town).await;
    let holder = town.start_with(Config { timing: quick(), database, ..town.config() }).await;
    let customer = town.customer(false);
    town.add(customer).await;
    town.connected(customer).await;
    door.shut();
    town.sim.write(|state| state.reset_token(customer.bot));
    holder.until("/metrics", "gateway_disconnects_total{code=\"4004\"").await;
    holder.until("/readyz", "postgres").await;
    assert!(town.row(customer).await.bot.refusal.is_none());
    door.open();
    let row = town.until_row(customer, "its refusal", |row| row.bot.refusal.is_some()).await;
    assert_eq!(row.bot.refusal.unwrap().code, 4004, "as the gateway said it");
    town.until_told(customer).await;
    assert_eq!(town.refused_requests(), 0, "the refused token is not tried again meanwhile");
    holder.stop().await;
}

#[tokio::test]
async fn two_processes_share_out_the_bots_by_their_ids() {
    let town = Town::build().await;
    let customers = [town.customer(false), town.customer(true), town.customer(false), town.customer(true)];
    for customer in customers {
        town.add_silently(customer).await;
    }
    let even = town.start_with(Config { process: Process::new(0, 2).unwrap(), ..town.config() }).await;
    even.until_metric("whitelabel_bots{state=\"running\"}", 2).await;
    town.connected(customers[0]).await;
    town.connected(customers[2]).await;
    assert_eq!([town.history(customers[1]).0, town.history(customers[3]).0], [0, 0]);
    let odd = town.start_with(Config { process: Process::new(1, 2).unwrap(), ..town.config() }).await;
    odd.until_metric("whitelabel_bots{state=\"running\"}", 2).await;
    for customer in customers {
        town.connected(customer).await;
        assert_eq!(town.history(customer), (1, 0, vec![]));
    }
    even.stop().await;
    odd.stop().await;
}

#[tokio::test]
async fn a_disabled_bot_leaves_its_session_resumable_and_an_enabled_one_resumes_it() {
    let town = Town::build().await;
    let holder = town.start().await;
    let (customer, other) = two(&town).await;
    let untouched = (town.connected(other).await, town.history(other));
    let session = town.connected(customer).await;
    town.db().whitelabel_bots().disable(customer.bot).await.unwrap();
    town.signal(customer).await;
    holder.until_metric("whitelabel_bots{state=\"running\"}", 1).await;
    town.chat(customer, 10);
    town.db().whitelabel_bots().enable(customer.bot, None).await.unwrap();
    town.signal(customer).await;
    assert_eq!(town.connected(customer).await, session);
    town.all_in_kafka(customer).await;
    assert_eq!(town.history(customer), (1, 1, vec![Some(4000)]));
    town.db().whitelabel_bots().delete(customer.bot).await.unwrap();
    town.signal(customer).await;
    holder.until_metric("whitelabel_bots{state=\"running\"}", 1).await;
    assert_eq!(town.history(customer).2, [Some(4000); 2]);
    assert_eq!((town.connected(other).await, town.history(other)), untouched);
    holder.stop().await;
}

#[tokio::test]
async fn a_bot_whose_token_does_not_open_waits_alone_and_starts_once_it_does() {
    let town = Town::build().await;
    let holder = town.start().await;
    let (stranger, other) = (town.customer(false), town.customer(true));
    let foreign = Vault::new(&"9:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=".into()).unwrap();
    town.add_silently(stranger).await;
    let token = town.token(stranger).into();
    town.db().whitelabel_bots().set_token(&foreign, stranger.bot, &token).await.unwrap();
    town.add(other).await;
    town.connected(other).await;
    holder.until_metric("whitelabel_bots{state=\"waiting\"}", 1).await;
    holder.until("/readyz", "ready").await;
    assert!(town.row(stranger).await.bot.refusal.is_none(), "Discord has not refused it");
    town.set_token(stranger).await;
    town.connected(stranger).await;
    holder.until_metric("whitelabel_bots{state=\"waiting\"}", 0).await;
    assert_eq!(town.history(other), (1, 0, vec![]));
    holder.stop().await;
}

#[tokio::test]
async fn a_bot_that_cannot_connect_leaves_the_process_ready() {
    let town = Town::build().await;
    let holder = town.start().await;
    let customer = town.customer(false);
    town.sim.write(|state| state.applications.get_mut(&customer.bot).unwrap().identifies_remaining = 0);
    town.add(customer).await;
    holder.until_metric("gateway_shards{state=\"identifying\"}", 1).await;
    assert_eq!(holder.get("/readyz").await, "ready\n");
    // And leaves nothing behind where it is taken out.
    town.db().whitelabel_bots().delete(customer.bot).await.unwrap();
    town.signal(customer).await;
    holder.until_metric("whitelabel_bots{state=\"running\"}", 0).await;
    holder.until_metric("gateway_shards{state=\"identifying\"}", 0).await;
    holder.stop().await;
}

#[tokio::test]
async fn many_bots_start_stop_and_resume_together() {
    let town = Town::build().await;
    let customers: Vec<_> = (0..40).map(|number| town.customer(number % 2 == 0)).collect();
    for customer in &customers {
        town.add_silently(*customer).await;
    }
    let holder = town.start().await;
    for customer in &customers {
        town.connected(*customer).await;
        town.chat(*customer, 3);
    }
    holder.until_metric("gateway_shards{state=\"connected\"}", 40).await;
    holder.stop().await;
    for customer in &customers {
        town.chat(*customer, 3);
    }
    let holder = town.start().await;
    for customer in &customers {
        town.connected(*customer).await;
        assert_eq!(town.history(*customer), (1, 1, vec![Some(4000)]));
    }
    for customer in &customers[..3] {
        town.all_in_kafka(*customer).await;
    }
    holder.stop().await;
}

#[tokio::test]
async fn no_plain_token_is_in_the_database_kafka_or_redis() {
    let town = Town::build().await;
    let holder = town.start().await;
    let customer = town.customer(false);
    town.add(customer).await;
    town.connected(customer).await;
    town.chat(customer, 5);
    let token = town.token(customer);
    let events = town.all_in_kafka(customer).await;
    assert!(events.iter().all(|event| !String::from_utf8_lossy(&event.payload).contains(&token)));
    let row = town.row(customer).await;
    assert!(!format!("{row:?}").contains(&token));
    assert_eq!(row.token.open(&town.vault).unwrap().expose_secret(), token);
    let metrics = holder.until("/metrics", "whitelabel_bots").await;
    assert!(!metrics.contains(&token));
    holder.stop().await;
}
