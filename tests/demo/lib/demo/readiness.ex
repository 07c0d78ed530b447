defmodule Demo.Readiness do
  @moduledoc "Ready only after a warm-up of DEMO_WARMUP_MS, as an app is that fills caches first."
  use GenServer
  require Logger

  alias Demo.{Drain, Knobs}

  def start_link(_), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)

  def state do
    cond do
      Drain.draining?() -> :draining
      :persistent_term.get(__MODULE__, false) -> :ok
      true -> :starting
    end
  end

  @impl true
  def init(nil) do
    :persistent_term.put(__MODULE__, false)
    Process.send_after(self(), :warm, Knobs.integer("DEMO_WARMUP_MS", 500))
    {:ok, nil}
  end

  @impl true
  def handle_info(:warm, state) do
    unless Knobs.on?(:never_healthy) do
      :persistent_term.put(__MODULE__, true)
      Logger.info("demo #{Demo.version()} is ready")

      if Knobs.on?(:crash_after_healthy),
        do: Process.send_after(self(), :crash, Knobs.integer("DEMO_CRASH_AFTER_MS", 1500))
    end

    {:noreply, state}
  end

  def handle_info(:crash, _state) do
    IO.puts(:stderr, "demo crashes after it was healthy, as it was built to: out of widgets")
    System.halt(3)
  end
end
