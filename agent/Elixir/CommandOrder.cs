using Decant.Agent.Instances;
using Decant.Agent.Operations;
using Decant.Agent.Supervision;

namespace Decant.Agent.Elixir;

/// <summary>One command of a release.</summary>
/// <param name="Program">The release's script, absolute.</param>
/// <param name="Arguments">Each one is one element of argv: no shell sees them.</param>
/// <param name="Environment">All of it but for what the supervisor adds (secrets that only it can read).</param>
/// <param name="Directory">Working directory.</param>
/// <param name="Timeout">Deadline; then SIGTERM and, 2 s later at most, SIGKILL to all of it.</param>
internal sealed record CommandOrder(
    string Program, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string> Environment, string Directory, TimeSpan Timeout)
{
    /// <summary>Where it runs; null: in no slot.</summary>
    public InstanceKey? Slot { get; init; }

    /// <summary>Told the process that leads it.</summary>
    public Action<ProcessIdentity>? Started { get; init; }

    /// <summary>Called for each line as it comes, from one thread at a time.</summary>
    public Action<OutputLine>? Line { get; init; }

    /// <summary>Nobody waits for it: it takes what processor time is left (<see cref="Operations.LowPriority"/>).</summary>
    public bool LowPriority { get; init; }
}

/// <summary>How a command of a release ended.</summary>
/// <param name="ExitCode">128 + signal when a signal ended it; null when it was ended for taking too long.</param>
/// <param name="Elapsed">How long it took.</param>
/// <param name="Tail">Its last lines, at most <see cref="CommandOutput.TailLines"/>.</param>
internal sealed record CommandEnd(int? ExitCode, TimeSpan Elapsed, IReadOnlyList<OutputLine> Tail)
{
    /// <summary>It was ended because its deadline passed.</summary>
    public bool TimedOut => ExitCode is null;

    /// <summary>It exited with 0.</summary>
    public bool Succeeded => ExitCode == 0;

    /// <summary>Its last lines as one text, for messages.</summary>
    public string TailText(int lines) => string.Join('\n', Tail.TakeLast(lines).Select(l => l.Text));
}
