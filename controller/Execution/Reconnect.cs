namespace Decant.Controller.Execution;

/// <summary>When an agent that cannot be reached is asked again: doubling pauses, until the window has passed without a word from it.</summary>
internal sealed class Reconnect(ExecutorOptions options, TimeProvider time)
{
    // An agent that answers and breaks off again and again must not be followed for ever.
    private const int MostWindows = 20;

    private readonly Lock gate = new();
    private long? lostAt;
    private int windows;
    private TimeSpan pause;

    /// <summary>The agent said something: the next loss begins a new window.</summary>
    public void Heard()
    {
        lock (gate) lostAt = null;
    }

    /// <summary>How long to wait before asking again; null: the window has passed.</summary>
    public TimeSpan? NextPause()
    {
        lock (gate)
        {
            if (lostAt is null)
            {
                if (++windows > MostWindows) return null;
                lostAt = time.GetTimestamp();
                pause = options.FirstPause;
                return pause;
            }

            if (time.GetElapsedTime(lostAt.Value) >= options.ReconnectWindow) return null;
            pause = pause * 2 < options.LongestPause ? pause * 2 : options.LongestPause;
            return pause;
        }
    }
}
