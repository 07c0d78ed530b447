defmodule Demo.Drain do
  @moduledoc "Counts requests in flight, and waits for them before the app stops."
  require Logger

  alias Demo.{Knobs, Server}

  def init do
    :persistent_term.put(
      __MODULE__,
      {:counters.new(1, [:write_concurrency]), :atomics.new(1, [])}
    )
  end

  def draining?, do: :atomics.get(elem(state(), 1), 1) == 1

  def in_flight, do: :counters.get(elem(state(), 0), 1)

  @doc "Runs a request, counted."
  def counted(fun) do
    {counter, _} = state()
    :counters.add(counter, 1, 1)

    try do
      fun.()
    after
      :counters.sub(counter, 1, 1)
    end
  end

  @doc "Unhealthy at once; then no new connections; then waits for what is in flight, at most DEMO_DRAIN_MS."
  def run do
    :atomics.put(elem(state(), 1), 1, 1)
    Process.sleep(Knobs.integer("DEMO_LINGER_MS", 0))
    Server.close_listener()
    deadline = System.monotonic_time(:millisecond) + Knobs.integer("DEMO_DRAIN_MS", 10_000)
    Logger.info("demo #{Demo.version()} drains: #{in_flight()} requests in flight")
    wait(deadline)
  end

  defp wait(deadline) do
    cond do
      in_flight() <= 0 ->
        :ok

      System.monotonic_time(:millisecond) > deadline ->
        Logger.warning("demo #{Demo.version()} gives up on #{in_flight()} requests in flight")

      true ->
        Process.sleep(10)
        wait(deadline)
    end
  end

  defp state, do: :persistent_term.get(__MODULE__)
end
