//! Tests over all commands, buttons and forms at once.

use std::collections::BTreeSet;

use model::{CustomId, Level, PanelId, TicketNumber};
use twilight_model::guild::Permissions;

use crate::{
    action::{Action, Place},
    commands, components, modals,
};

fn all() -> Vec<(String, &'static Action)> {
    let commands = commands::ALL.iter().map(|command| (format!("/{}", command.action.name), &command.action));
    let others = components::ALL.iter().chain(modals::ALL);
    commands.chain(others.map(|action| (action.name.to_owned(), *action))).collect()
}

#[test]
fn the_readme_s_access_table_is_what_the_code_declares() {
    let declared: Vec<String> = all()
        .iter()
        .map(|(name, action)| {
            let level = match action.level {
                Level::Everyone => "everyone",
                Level::Support => "support",
                Level::Admin => "admin",
            };
            let place = match action.place {
                Place::Guild => "guild",
                Place::Anywhere => "anywhere",
            };
            format!("| `{name}` | {level} | {place} |")
        })
        .collect();
    let readme = include_str!("../README.md");
    let table: Vec<&str> = readme
        .lines()
        .skip_while(|line| *line != "| action | level | place | rule of the verb |")
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert_eq!(table.len(), declared.len(), "one line per action");
    for (line, declared) in table.iter().zip(&declared) {
        assert!(line.starts_with(declared.as_str()), "{line}\nshould begin {declared}");
    }
}

#[test]
fn names_are_unique() {
    let names: BTreeSet<String> = all().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), all().len());
}

#[test]
fn commands_keep_to_discords_rules_and_are_named_as_their_action() {
    for command in commands::ALL {
        let spec = (command.spec)();
        twilight_validate::command::command(&spec).unwrap();
        assert_eq!(spec.name, command.action.name);
        let autocompletes = spec.options.iter().any(|option| option.autocomplete == Some(true));
        assert_eq!(autocompletes, command.complete.is_some(), "{}", spec.name);
    }
}

#[test]
fn what_only_admins_may_do_is_hidden_from_others() {
    for command in commands::ALL {
        let hidden = (command.spec)().default_member_permissions;
        let expected = (command.action.level == Level::Admin).then_some(Permissions::ADMINISTRATOR);
        assert_eq!(hidden, expected, "{}", command.action.name);
    }
}

#[test]
fn every_custom_id_leads_to_one_action_of_its_name() {
    let number = TicketNumber(1);
    let ids = [
        CustomId::Open(PanelId(1)),
        CustomId::Close(number),
        CustomId::CloseYes(number),
        CustomId::CloseNo,
        CustomId::CloseReason(number),
        CustomId::CloseForm(number),
        CustomId::Claim(number),
    ];
    let mut reached = BTreeSet::new();
    for id in ids {
        let action = match (components::find(id), modals::find(id)) {
            (Some(action), None) | (None, Some(action)) => action,
            other => panic!("{id}: {other:?}"),
        };
        let verb = id.to_string();
        let verb = verb.split(':').nth(1).unwrap();
        assert_eq!(action.name.split(':').nth(1), Some(verb));
        reached.insert(action.name);
    }
    let listed: BTreeSet<_> = components::ALL.iter().chain(modals::ALL).map(|action| action.name).collect();
    assert_eq!(reached, listed);
}

#[test]
fn commands_that_need_a_guild_are_offered_in_guilds_alone() {
    use twilight_model::application::interaction::InteractionContextType;
    for command in commands::ALL {
        let contexts = (command.spec)().contexts.unwrap_or_default();
        assert_eq!(command.action.place, Place::Guild);
        assert_eq!(contexts, [InteractionContextType::Guild], "{}", command.action.name);
    }
}
