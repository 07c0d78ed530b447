defmodule Demo.Database do
  @moduledoc "The SQLite file that DEMO_DB names, by Debian's erlang-p1-sqlite3."

  @doc "Opens the database, runs the function, closes it."
  def with_connection(fun) do
    path =
      System.get_env("DEMO_DB") ||
        raise "DEMO_DB is not set: it names the SQLite file that is migrated"

    name = :"demo_db_#{System.unique_integer([:positive])}"
    {:ok, _} = :sqlite3.open(name, file: String.to_charlist(path))
    # Several programs use the file: wait for one another.
    query(name, "PRAGMA busy_timeout = 10000")

    try do
      fun.(name)
    after
      :sqlite3.close(name)
    end
  end

  def schema_version, do: scalar("SELECT coalesce(max(version), 0) FROM schema_migrations")

  def runs, do: scalar("SELECT count(*) FROM migration_runs")

  @doc "Rows of a query."
  def query(connection, sql, parameters \\ []) do
    case :sqlite3.sql_exec(connection, sql, parameters) do
      {:error, _, reason} -> raise "#{sql}: #{reason}"
      {:error, reason} -> raise "#{sql}: #{inspect(reason)}"
      [columns: _, rows: rows] -> rows
      other -> other
    end
  end

  defp scalar(sql) do
    with_connection(fn connection ->
      [{value}] = query(connection, sql)
      value
    end)
  rescue
    _ -> 0
  end
end
