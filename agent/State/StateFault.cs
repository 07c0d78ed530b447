using System.Globalization;
using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.State;

/// <summary>Why the agent cannot trust, or use, its database.</summary>
internal enum StateFaultKind
{
    /// <summary>Its bytes are not those that were written, or it is no database.</summary>
    Damaged,

    /// <summary>It is not there, but was: what is on this host shows it.</summary>
    Lost,

    /// <summary>A later version of the agent wrote it.</summary>
    Newer,
}

/// <summary>The agent's database cannot be used: until the operator decides, the agent watches its releases and changes nothing.</summary>
/// <param name="Kind">What kind of fault.</param>
/// <param name="Reason">What was found, with the file.</param>
/// <param name="KeptAs">Where the file is now; null when it is where it was, or nowhere.</param>
internal sealed record StateFault(StateFaultKind Kind, string Reason, string? KeptAs = null)
{
    /// <summary>What nobody knows any more once the state is rebuilt, for people.</summary>
    public static IReadOnlyList<string> NotKnownAnyMore { get; } =
    [
        "the results of operations: a call that is repeated with its operation id is done again",
        "which migrations were run: a deployment that is resumed runs its migration again",
        "which releases were good: a rollback has no last good release until the next deployment, and pruning keeps the newest only",
        "which slots were meant to run: one that had died stays stopped until it is started",
        "who holds leases: a deployment that is under way is refused, and says so",
        "the settings of health checks, and when a slot that is kept warm is to be stopped",
        "what HAProxies that ask (agent-check) were told: a member that was out of rotation is in again",
    ];

    /// <summary>What has to be done.</summary>
    public string Next => Kind == StateFaultKind.Newer
        ? "install the version of decantd that wrote it; or stop this agent, run decantd --accept-rebuilt-state, and start it again"
        : "look at decant status; then stop the agent (its releases go on), run decantd --accept-rebuilt-state, and start it again";

    /// <summary>What callers that want something changed are told.</summary>
    public OperatorError Error => new OperatorError(
        StatusCode.FailedPrecondition,
        "STATE_READ_ONLY",
        $"the agent's state cannot be used and it changes nothing: {Reason}{(KeptAs is null ? "" : $"; kept as {KeptAs}")}; its releases go on",
        Next).With("fault", Kind.ToString().ToLowerInvariant());

    /// <summary>What a file is called that is kept aside.</summary>
    public static string Aside(string path, StateFaultKind kind, DateTimeOffset now)
        => $"{path}.{kind.ToString().ToLowerInvariant()}-{now.UtcDateTime.ToString("yyyyMMddTHHmmssZ", CultureInfo.InvariantCulture)}";
}
