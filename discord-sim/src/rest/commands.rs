//! Application commands: registration, and the index that clients show.

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, CommandMarker, GuildMarker},
};

use super::{Body, Caller, Path, guilds};
use crate::{
    check,
    error::ApiError,
    sim::Sim,
    state::{Command, State as World},
};

type Global = Path<Id<ApplicationMarker>>;
type GlobalOne = Path<(Id<ApplicationMarker>, Id<CommandMarker>)>;
type InGuild = Path<(Id<ApplicationMarker>, Id<GuildMarker>)>;
type InGuildOne = Path<(Id<ApplicationMarker>, Id<GuildMarker>, Id<CommandMarker>)>;
type Answer = Result<Json<Value>, ApiError>;
type Created = Result<(StatusCode, Json<Value>), ApiError>;

pub(super) async fn list_global(State(sim): State<Sim>, caller: Caller, Path(application): Global) -> Answer {
    own(caller, application)?;
    Ok(list(&sim, application, None))
}

pub(super) async fn list_guild(State(sim): State<Sim>, caller: Caller, Path((application, guild)): InGuild) -> Answer {
    own(caller, application)?;
    Ok(list(&sim, application, Some(guild)))
}

pub(super) async fn overwrite_global(
    State(sim): State<Sim>,
    caller: Caller,
    Path(application): Global,
    body: Body,
) -> Answer {
    own(caller, application)?;
    overwrite(&sim, application, None, &body)
}

pub(super) async fn overwrite_guild(
    State(sim): State<Sim>,
    caller: Caller,
    Path((application, guild)): InGuild,
    body: Body,
) -> Answer {
    own(caller, application)?;
    overwrite(&sim, application, Some(guild), &body)
}

pub(super) async fn create_global(
    State(sim): State<Sim>,
    caller: Caller,
    Path(application): Global,
    body: Body,
) -> Created {
    own(caller, application)?;
    create(&sim, application, None, &body)
}

pub(super) async fn create_guild(
    State(sim): State<Sim>,
    caller: Caller,
    Path((application, guild)): InGuild,
    body: Body,
) -> Created {
    own(caller, application)?;
    create(&sim, application, Some(guild), &body)
}

pub(super) async fn one_global(State(sim): State<Sim>, caller: Caller, Path((application, id)): GlobalOne) -> Answer {
    own(caller, application)?;
    sim.read(|state| find(state, application, None, id).map(|command| Json(describe(application, command))))
}

pub(super) async fn one_guild(
    State(sim): State<Sim>,
    caller: Caller,
    Path((application, guild, id)): InGuildOne,
) -> Answer {
    own(caller, application)?;
    sim.read(|state| find(state, application, Some(guild), id).map(|command| Json(describe(application, command))))
}

pub(super) async fn edit_global(
    State(sim): State<Sim>,
    caller: Caller,
    Path((application, id)): GlobalOne,
    body: Body,
) -> Answer {
    own(caller, application)?;
    edit(&sim, application, None, id, &body)
}

pub(super) async fn edit_guild(
    State(sim): State<Sim>,
    caller: Caller,
    Path((application, guild, id)): InGuildOne,
    body: Body,
) -> Answer {
    own(caller, application)?;
    edit(&sim, application, Some(guild), id, &body)
}

pub(super) async fn remove_global(
    State(sim): State<Sim>,
    caller: Caller,
    Path((application, id)): GlobalOne,
) -> Result<StatusCode, ApiError> {
    own(caller, application)?;
    remove(&sim, application, None, id)
}

pub(super) async fn remove_guild(
    State(sim): State<Sim>,
    caller: Caller,
    Path((application, guild, id)): InGuildOne,
) -> Result<StatusCode, ApiError> {
    own(caller, application)?;
    remove(&sim, application, Some(guild), id)
}

/// What a client needs to offer commands in a guild: those of every bot there.
pub(super) async fn index(State(sim): State<Sim>, caller: Caller, Path(guild): Path<Id<GuildMarker>>) -> Answer {
    sim.read(|state| {
        let members = &guilds::member_of(state, guild, caller.user())?.members;
        let here = || state.applications.values().filter(|application| members.contains_key(&application.id.cast()));
        let commands = here().flat_map(|application| {
            let shown = application.commands.values().filter(|command| command.guild_id.is_none_or(|only| only == guild));
            shown.map(|command| describe(application.id, command))
        });
        let applications = here().map(|application| json!({ "id": application.id, "name": application.name, "icon": null, "bot_id": application.id }));
        Ok(Json(json!({ "applications": applications.collect::<Vec<_>>(), "application_commands": commands.collect::<Vec<_>>(), "version": "1" })))
    })
}

fn own(caller: Caller, application: Id<ApplicationMarker>) -> Result<(), ApiError> {
    if caller.application()? == application { Ok(()) } else { Err(ApiError::missing_access()) }
}

fn list(sim: &Sim, application: Id<ApplicationMarker>, guild: Option<Id<GuildMarker>>) -> Json<Value> {
    Json(sim.read(|state| {
        let commands = state.applications.get(&application).into_iter().flat_map(|found| found.commands.values());
        commands.filter(|command| command.guild_id == guild).map(|command| describe(application, command)).collect()
    }))
}

fn overwrite(sim: &Sim, application: Id<ApplicationMarker>, guild: Option<Id<GuildMarker>>, body: &Body) -> Answer {
    let definitions = body.json.as_array().cloned().unwrap_or_default();
    check::commands(&definitions)?;
    sim.write(|state| {
        let kept: Vec<_> =
            definitions.into_iter().map(|definition| store(state, application, guild, definition)).collect();
        let found = state.applications.get_mut(&application).ok_or_else(ApiError::unauthorized)?;
        found.commands.retain(|id, command| command.guild_id != guild || kept.contains(id));
        Ok::<_, ApiError>(())
    })?;
    Ok(list(sim, application, guild))
}

fn create(sim: &Sim, application: Id<ApplicationMarker>, guild: Option<Id<GuildMarker>>, body: &Body) -> Created {
    check::command(&body.json)?;
    sim.write(|state| {
        let existed = same_name(state, application, guild, &body.json).is_some();
        if !existed {
            room_for_another(state, application, guild, &body.json)?;
        }
        let id = store(state, application, guild, body.json.clone());
        let status = if existed { StatusCode::OK } else { StatusCode::CREATED };
        Ok((status, Json(describe(application, find(state, application, guild, id)?))))
    })
}

/// The scope's limits, which only its whole list shows.
fn room_for_another(
    state: &World,
    application: Id<ApplicationMarker>,
    guild: Option<Id<GuildMarker>>,
    definition: &Value,
) -> Result<(), ApiError> {
    let own = state.applications.get(&application).into_iter().flat_map(|found| found.commands.values());
    let definitions = own.filter(|command| command.guild_id == guild).map(|command| command.definition.clone());
    let all: Vec<Value> = definitions.chain([definition.clone()]).collect();
    Ok(check::commands(&all)?)
}

fn edit(
    sim: &Sim,
    application: Id<ApplicationMarker>,
    guild: Option<Id<GuildMarker>>,
    id: Id<CommandMarker>,
    body: &Body,
) -> Answer {
    sim.write(|state| {
        let mut definition = find(state, application, guild, id)?.definition.clone();
        for (field, value) in body.fields()? {
            definition[field] = value.clone();
        }
        check::command(&definition)?;
        remove_from(state, application, guild, id)?;
        let version = state.new_id();
        insert(
            state,
            application,
            Command { id, version, guild_id: guild, kind: kind(&definition), name: name(&definition), definition },
        );
        Ok(Json(describe(application, find(state, application, guild, id)?)))
    })
}

fn remove(
    sim: &Sim,
    application: Id<ApplicationMarker>,
    guild: Option<Id<GuildMarker>>,
    id: Id<CommandMarker>,
) -> Result<StatusCode, ApiError> {
    sim.write(|state| remove_from(state, application, guild, id).map(|()| StatusCode::NO_CONTENT))
}

fn remove_from(
    state: &mut World,
    application: Id<ApplicationMarker>,
    guild: Option<Id<GuildMarker>>,
    id: Id<CommandMarker>,
) -> Result<(), ApiError> {
    find(state, application, guild, id)?;
    if let Some(found) = state.applications.get_mut(&application) {
        found.commands.remove(&id);
    }
    Ok(())
}

/// A definition replaces the command of the same type and name, which keeps its id.
fn store(
    state: &mut World,
    application: Id<ApplicationMarker>,
    guild: Option<Id<GuildMarker>>,
    definition: Value,
) -> Id<CommandMarker> {
    let id = same_name(state, application, guild, &definition).unwrap_or_else(|| state.new_id());
    let version = state.new_id();
    insert(
        state,
        application,
        Command { id, version, guild_id: guild, kind: kind(&definition), name: name(&definition), definition },
    );
    id
}

fn insert(state: &mut World, application: Id<ApplicationMarker>, command: Command) {
    if let Some(found) = state.applications.get_mut(&application) {
        found.commands.insert(command.id, command);
    }
}

fn same_name(
    state: &World,
    application: Id<ApplicationMarker>,
    guild: Option<Id<GuildMarker>>,
    definition: &Value,
) -> Option<Id<CommandMarker>> {
    let mut commands = state.applications.get(&application)?.commands.values();
    commands
        .find(|command| {
            command.guild_id == guild && command.kind == kind(definition) && command.name == name(definition)
        })
        .map(|command| command.id)
}

fn find(
    state: &World,
    application: Id<ApplicationMarker>,
    guild: Option<Id<GuildMarker>>,
    id: Id<CommandMarker>,
) -> Result<&Command, ApiError> {
    let command = state
        .applications
        .get(&application)
        .and_then(|found| found.commands.get(&id))
        .filter(|command| command.guild_id == guild);
    command.ok_or_else(|| ApiError::unknown(10063, "application command"))
}

fn kind(definition: &Value) -> u8 {
    definition["type"].as_u64().and_then(|kind| u8::try_from(kind).ok()).unwrap_or(1)
}

fn name(definition: &Value) -> String {
    definition["name"].as_str().unwrap_or_default().to_owned()
}

/// The application command object.
fn describe(application: Id<ApplicationMarker>, command: &Command) -> Value {
    let definition = &command.definition;
    let mut json = json!({
        "id": command.id, "application_id": application, "version": command.version, "type": command.kind, "name": command.name,
        "description": definition["description"].as_str().unwrap_or_default(), "default_member_permissions": definition["default_member_permissions"],
        "nsfw": definition["nsfw"].as_bool().unwrap_or(false),
        "name_localizations": definition["name_localizations"], "description_localizations": definition["description_localizations"],
        "contexts": definition["contexts"], "integration_types": definition.get("integration_types").filter(|types| !types.is_null()).cloned().unwrap_or(json!([0])),
    });
    match command.guild_id {
        Some(guild) => json["guild_id"] = json!(guild),
        None => {
            json["dm_permission"] =
                definition.get("dm_permission").filter(|value| !value.is_null()).cloned().unwrap_or(json!(true));
        }
    }
    if let Some(options) = definition.get("options").filter(|options| !options.is_null()) {
        json["options"] = options.clone();
    }
    json
}
