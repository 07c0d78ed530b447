defmodule Demo.Routes do
  @moduledoc "What the app answers."

  alias Demo.{Database, Knobs, Readiness}

  def handle(_method, path, _query, _body) when path in ["/", "/fast"] do
    if Knobs.on?(:error_rate) and :rand.uniform(100) <= Knobs.integer("DEMO_ERROR_PERCENT", 5) do
      text(500, "error, as it was built to\n")
    else
      {200, "application/json",
       ~s({"version":"#{Demo.version()}","node":"#{node()}","slot":"#{System.get_env("DECANT_SLOT")}","pid":#{System.pid()}}\n)}
    end
  end

  def handle(_method, "/version", _query, _body), do: text(200, Demo.version() <> "\n")

  def handle(_method, "/health", _query, _body) do
    case Readiness.state() do
      :ok -> text(200, "ok\n")
      state -> text(503, "#{state}\n")
    end
  end

  def handle(_method, "/slow", query, _body) do
    ms = integer(query, "ms", 3_000)
    Process.sleep(ms)
    text(200, "slept #{ms} ms\n")
  end

  def handle(_method, "/stream", query, _body) do
    interval = integer(query, "interval_ms", 100)

    chunks =
      Stream.map(1..integer(query, "chunks", 10), fn n ->
        Process.sleep(interval)
        "chunk #{n}\n"
      end)

    {:stream, "text/plain", chunks}
  end

  def handle(_method, "/upload", _query, {size, hash}) do
    {200, "application/json",
     ~s({"bytes":#{size},"sha256":"#{Base.encode16(hash, case: :lower)}"}\n)}
  end

  def handle(_method, "/rows", _query, _body) do
    {200, "application/json",
     ~s({"schema":#{Database.schema_version()},"runs":#{Database.runs()}}\n)}
  end

  def handle(_method, "/env", %{"name" => "DEMO_" <> _ = name}, _body),
    do: text(200, "#{System.get_env(name)}\n")

  def handle(_method, _path, _query, _body), do: text(404, "not found\n")

  defp text(status, body), do: {status, "text/plain", body}

  defp integer(query, name, default) do
    case Integer.parse(Map.get(query, name, "")) do
      {value, ""} when value in 0..600_000 -> value
      _ -> default
    end
  end
end
