-- A token's version is one that no bot ever had: a late refusal of a bot that was removed and added again, or that has other
-- intents by now, must not be taken for one of the bot as it is.
create sequence whitelabel_token_versions as integer;

update whitelabel_bots set token_version = nextval('whitelabel_token_versions');

alter table whitelabel_bots
    alter column token_version set default nextval('whitelabel_token_versions'),
    add constraint whitelabel_bots_token_version_key unique (token_version);

comment on column whitelabel_bots.token_version is
    'Another one whenever the bot is to come anew: with another token, with the same one after a refusal, with other intents.';
