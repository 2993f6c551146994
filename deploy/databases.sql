-- Roles and databases of docker-compose.yml, made once, when the Postgres volume is empty. Passwords come from the
-- container's environment. The same by hand: psql -v ON_ERROR_STOP=1 -f deploy/databases.sql, with these variables set.
\getenv owner_password PAYMENTS_OWNER_PASSWORD
\getenv application_password PAYMENTS_APPLICATION_PASSWORD
\getenv temporal_password TEMPORAL_DATABASE_PASSWORD

-- Owns the tables and migrates them.
CREATE ROLE payments_owner LOGIN PASSWORD :'owner_password';
-- What migrations grant rights to: no UPDATE and no DELETE on append-only tables. Nobody logs in as it.
CREATE ROLE payments_app NOLOGIN;
-- What the API, the workers and the admin command log in as.
CREATE ROLE payments_api LOGIN PASSWORD :'application_password' IN ROLE payments_app;
CREATE DATABASE payments OWNER payments_owner;
REVOKE ALL ON DATABASE payments FROM PUBLIC;
GRANT CONNECT ON DATABASE payments TO payments_app;

-- Temporal's own store, which has nothing to do with the product's.
CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE ALL ON DATABASE temporal, temporal_visibility FROM PUBLIC;
