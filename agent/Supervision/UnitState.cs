using Tmds.DBus.Protocol;

namespace Decant.Agent.Supervision;

/// <summary>What the agent reads of a unit (org.freedesktop.systemd1(5)).</summary>
internal sealed record UnitState
{
    /// <summary>Where its properties are.</summary>
    public static readonly IReadOnlyList<string> Interfaces = ["org.freedesktop.systemd1.Unit", "org.freedesktop.systemd1.Service"];

    private const int Exited = 1;

    /// <summary><c>active</c>, <c>activating</c>, <c>deactivating</c>, <c>inactive</c>, <c>failed</c>.</summary>
    public string Active { get; private init; } = "inactive";

    /// <summary>Whether its file was found: <c>loaded</c>, <c>not-found</c>, <c>masked</c>.</summary>
    public string Load { get; private init; } = "";

    /// <summary>Its main process; 0: none now.</summary>
    public int MainPid { get; private init; }

    /// <summary>Its last main process; 0: none.</summary>
    public int LastPid { get; private init; }

    /// <summary>When its last main process began; null: never.</summary>
    public DateTimeOffset? Began { get; private init; }

    /// <summary>When its last main process ended; null: it has not.</summary>
    public DateTimeOffset? Ended { get; private init; }

    /// <summary>How it ended: exit code, or 128 + signal. Meaningful when <see cref="Ended"/> is set.</summary>
    public int ExitCode => Code == Exited ? Status : 128 + Status;

    /// <summary>Nothing of it runs, and nothing is about to.</summary>
    public bool IsOver => Active is "inactive" or "failed";

    // waitid(2): si_code and si_status.
    private int Code { get; init; }

    private int Status { get; init; }

    /// <summary>The same after some properties have changed.</summary>
    public UnitState With(IReadOnlyDictionary<string, VariantValue> changed) => this with
    {
        Active = changed.TryGetValue("ActiveState", out var active) ? active.GetString() : Active,
        Load = changed.TryGetValue("LoadState", out var load) ? load.GetString() : Load,
        MainPid = changed.TryGetValue("MainPID", out var main) ? (int)main.GetUInt32() : MainPid,
        LastPid = changed.TryGetValue("ExecMainPID", out var last) ? (int)last.GetUInt32() : LastPid,
        Began = changed.TryGetValue("ExecMainStartTimestamp", out var began) ? Time(began) : Began,
        Ended = changed.TryGetValue("ExecMainExitTimestamp", out var ended) ? Time(ended) : Ended,
        Code = changed.TryGetValue("ExecMainCode", out var how) ? how.GetInt32() : Code,
        Status = changed.TryGetValue("ExecMainStatus", out var with) ? with.GetInt32() : Status,
    };

    /// <summary>Microseconds since 1970; 0: never.</summary>
    private static DateTimeOffset? Time(VariantValue value)
        => value.GetUInt64() is > 0 and var microseconds ? DateTimeOffset.UnixEpoch.AddTicks((long)microseconds * TimeSpan.TicksPerMicrosecond) : null;
}
