defmodule Demo.Release do
  @moduledoc "What `bin/demo eval` runs: `Demo.Release.migrate()`, and `Demo.Release.rollback(20260301)`."

  alias Demo.{Database, Knobs}

  @all [
    {20_260_101, "create orders",
     "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT)"},
    {20_260_201, "add an order", "INSERT INTO orders (item) VALUES ('widget')"},
    {20_260_301, "create customers",
     "CREATE TABLE IF NOT EXISTS customers (id INTEGER PRIMARY KEY, name TEXT)"},
    {20_260_401, "add a customer", "INSERT INTO customers (name) VALUES ('ann')"}
  ]

  @undo %{
    20_260_301 => "DROP TABLE customers",
    20_260_401 => "DELETE FROM customers WHERE name = 'ann'"
  }

  @doc "Undoes the migrations from this version on that were applied, the latest first; every run is counted in rollback_runs."
  def rollback(from) do
    {:ok, _} = Application.ensure_all_started(:sqlite3)
    Application.load(:demo)

    Database.with_connection(fn connection ->
      Database.query(connection, "CREATE TABLE IF NOT EXISTS rollback_runs (at TEXT, by TEXT)")

      Database.query(
        connection,
        "INSERT INTO rollback_runs VALUES (datetime('now'), '#{Demo.version()}')"
      )

      done =
        for {version} <- Database.query(connection, "SELECT version FROM schema_migrations"),
            version >= from,
            do: version

      for version <- Enum.sort(done, :desc) do
        IO.puts("undoing #{version}")
        # Fails where this release does not know how: an older one has no migration of that version.
        Database.query(connection, Map.fetch!(@undo, version))
        Database.query(connection, "DELETE FROM schema_migrations WHERE version = #{version}")
      end

      IO.puts("undone")
    end)
  end

  @doc "Applies what is missing, in order; a second run finds nothing to do. Every run is counted in migration_runs."
  def migrate do
    # `bin/demo eval` loads no application by itself.
    {:ok, _} = Application.ensure_all_started(:sqlite3)
    Application.load(:demo)

    Database.with_connection(fn connection ->
      Database.query(
        connection,
        "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, name TEXT, by TEXT)"
      )

      Database.query(connection, "CREATE TABLE IF NOT EXISTS migration_runs (at TEXT, by TEXT)")

      Database.query(
        connection,
        "INSERT INTO migration_runs VALUES (datetime('now'), '#{Demo.version()}')"
      )

      done =
        for {version} <- Database.query(connection, "SELECT version FROM schema_migrations"),
            do: version

      missing = for {version, _, _} = migration <- known(), version not in done, do: migration
      IO.puts("migrating to #{Demo.version()}: #{length(missing)} to do")
      if Knobs.on?(:slow_migration), do: slowly(Knobs.integer("DEMO_MIGRATION_MS", 4_000))

      if Knobs.on?(:failing_migration) do
        raise "the migration fails, as it was built to: column \"price\" does not exist"
      end

      for {version, name, sql} <- missing do
        IO.puts("migrating #{version} #{name}")
        Database.query(connection, sql)

        Database.query(
          connection,
          "INSERT INTO schema_migrations VALUES (#{version}, '#{name}', '#{Demo.version()}')"
        )
      end

      IO.puts("migrated")
    end)
  end

  defp slowly(ms) do
    for tenth <- 1..10 do
      Process.sleep(div(ms, 10))
      IO.puts("rewriting the table orders: #{tenth * 10} %")
    end
  end

  defp known, do: Enum.take(@all, Application.get_env(:demo, :migrations, 2))
end
