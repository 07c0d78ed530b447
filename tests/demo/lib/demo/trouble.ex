defmodule Demo.Trouble do
  @moduledoc "A release that runs, is healthy, and serves worse than the one before: what only a canary finds."

  alias Demo.Knobs

  @every 20

  def init do
    :persistent_term.put(__MODULE__, {
      :atomics.new(1, []),
      Knobs.on?(:errors_5_percent),
      if(Knobs.on?(:slow_answers), do: Knobs.integer("DEMO_SLOWER_MS", 200), else: 0)
    })
  end

  @doc "The answer, or what the knobs make of it."
  def instead_of("/health", answer), do: answer.()

  def instead_of(_path, answer) do
    {answered, errors?, slower_ms} = :persistent_term.get(__MODULE__)
    if slower_ms > 0, do: Process.sleep(slower_ms)

    if errors? and turn(answered),
      do: {500, "text/plain", "error, as it was built to\n"},
      else: answer.()
  end

  defp turn(answered), do: rem(:atomics.add_get(answered, 1, 1), @every) == 0
end
