using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Balancers;

/// <summary>What goes wrong at balancers, in one place.</summary>
internal static class BalancerErrors
{
    /// <summary>Reason of <see cref="NotUp"/>.</summary>
    public const string MemberNotUp = "MEMBER_NOT_UP";

    /// <summary>Reason of <see cref="Unreachable"/>.</summary>
    public const string NotReachable = "BALANCER_UNREACHABLE";

    public static OperatorException NoSuchBalancer(BalancerName name, IEnumerable<BalancerName> known) => new(new OperatorError(
        StatusCode.NotFound,
        "BALANCER_NOT_FOUND",
        $"this host has no balancer {name}; {Known(known.Select(n => n.Value))}",
        "correct the name, or name the balancer in this host's agent.yml and restart its agent"));

    public static OperatorException NoSuchBackend(
        BalancerName balancer, MemberName name, IEnumerable<string> known, string whatNext = "correct the name, or add the backend to the balancer's configuration") => new(new OperatorError(
        StatusCode.NotFound,
        "BACKEND_NOT_FOUND",
        $"balancer {balancer} has no backend {name}; {Known(known)}",
        whatNext).With("balancer", balancer.Value));

    public static OperatorException NoSuchMember(BalancerName balancer, MemberKey member, Backend backend) => new(new OperatorError(
        StatusCode.NotFound,
        "MEMBER_NOT_FOUND",
        $"backend {member.Backend} of balancer {balancer} has no member {member.Member}; {Known(backend.Members.Select(m => m.Name))}",
        "correct the name, or add the member to the balancer's configuration").With("balancer", balancer.Value));

    public static OperatorException Unreachable(BalancerName balancer, string why, string whatNext, Exception? cause = null) => new(
        new OperatorError(
            StatusCode.Unavailable,
            NotReachable,
            $"balancer {balancer} cannot be driven: {why}; nothing is known of its members now",
            whatNext).With("balancer", balancer.Value).With("state", "unknown"),
        cause);

    public static OperatorException Refused(BalancerName balancer, string command, string answer) => new(
        answer.Contains("Permission denied", StringComparison.Ordinal)
            ? new OperatorError(
                StatusCode.FailedPrecondition,
                "BALANCER_REFUSED",
                $"balancer {balancer} refuses \"{command}\": its socket does not have level admin; nothing was changed",
                "give it `stats socket PATH mode 660 level admin` in HAProxy's global section and reload HAProxy").With("balancer", balancer.Value)
            : new OperatorError(
                StatusCode.FailedPrecondition,
                "BALANCER_REFUSED",
                $"balancer {balancer} refuses \"{command}\": {answer}",
                "look at the member in the balancer before going on").With("balancer", balancer.Value));

    public static OperatorException TooFewInRotation(BalancerName balancer, MemberKey member, int wanted, IReadOnlyList<Member> others, TimeSpan waited) => new(
        new OperatorError(
            StatusCode.FailedPrecondition,
            "TOO_FEW_IN_ROTATION",
            $"{member} was not drained: {others.Count(m => m.State == MemberState.Ready)} of its other members are up, {wanted} are asked for, after {waited.TotalSeconds:0.#} s: "
            + (others.Count == 0 ? "there are no others" : string.Join(", ", others)),
            "bring the others up, or ask for fewer").With("balancer", balancer.Value).With("state", "in rotation as before"));

    public static OperatorException NotUp(BalancerName balancer, MemberKey member, Member? seen, TimeSpan waited) => new(new OperatorError(
        StatusCode.DeadlineExceeded,
        MemberNotUp,
        $"{member} was put in, but balancer {balancer} has not called it up within {waited.TotalSeconds:0.#} s: {seen?.ToString() ?? "it is not there"}"
        + (seen is { Weight: 0 } ? "; its weight is 0" : ""),
        "look at what its check asks and how often (inter, rise), and whether the instance answers it; the member stays ready and goes up by itself when its checks pass")
        .With("balancer", balancer.Value).With("state", seen?.Status ?? "not there"));

    public static OperatorException NotAccepting(BalancerName balancer, MemberKey member, string address, string why, TimeSpan waited) => new(new OperatorError(
        StatusCode.DeadlineExceeded,
        MemberNotUp,
        $"{member} was not put in at balancer {balancer}: {address} has not accepted a connection within {waited.TotalSeconds:0.#} s ({why}); nothing was changed",
        "look whether the instance runs and listens on that address").With("balancer", balancer.Value).With("state", "as before"));

    public static OperatorException ConfigurationRefused(BalancerName balancer, string what, string words, string state, string whatNext) => new(
        new OperatorError(
            StatusCode.FailedPrecondition,
            "BALANCER_REFUSED",
            $"balancer {balancer}: {what}: {words}; {state}",
            whatNext).With("balancer", balancer.Value).With("state", state));

    public static OperatorException Edited(BalancerName balancer, string file, string what, string whatNext) => new(new OperatorError(
        StatusCode.FailedPrecondition,
        "CONFIG_EDITED",
        $"balancer {balancer}: {file} {what}; it was left as it is",
        whatNext).With("balancer", balancer.Value).With("file", file));

    public static OperatorException WeightNotSupported(BalancerName balancer, MemberName backend, string why) => new(new OperatorError(
        StatusCode.FailedPrecondition,
        "WEIGHT_NOT_SUPPORTED",
        $"members of backend {backend} of balancer {balancer} cannot have different shares: {why}; nothing was changed",
        "give every member a full share, or choose another policy in the balancer's configuration").With("balancer", balancer.Value));

    public static OperatorException InRotation(BalancerName balancer, MemberKey member, Member seen) => new(new OperatorError(
        StatusCode.FailedPrecondition,
        "MEMBER_IN_ROTATION",
        $"{member} is in rotation at balancer {balancer} ({seen}): it was not removed",
        "drain it first").With("balancer", balancer.Value).With("state", seen.Status));

    public static OperatorException Busy(BalancerName balancer, MemberKey member, Member seen, TimeSpan waited) => new(new OperatorError(
        StatusCode.FailedPrecondition,
        "MEMBER_BUSY",
        $"{member} was not removed from balancer {balancer}: it still has {seen.Load} sessions after {waited.TotalSeconds:0.#} s; it is in maintenance",
        "remove it again when they have ended").With("balancer", balancer.Value).With("state", seen.Status));

    public static OperatorException AddressUnknown(BalancerName balancer, MemberKey member, MemberAddress address, Exception cause) => new(
        new OperatorError(
            StatusCode.FailedPrecondition,
            "ADDRESS_UNKNOWN",
            $"balancer {balancer} cannot be told to send {member} to {address}: {address.Host} has no IP address here: {cause.Message}",
            "correct the host's address, or how this host resolves names").With("balancer", balancer.Value),
        cause);

    public static OperatorException AddressDiffers(BalancerName balancer, MemberKey member, Member seen, MemberAddress wanted) => new(new OperatorError(
        StatusCode.FailedPrecondition,
        "ADDRESS_DIFFERS",
        $"balancer {balancer} has {member} at {seen.Address}, not at {wanted}, and it may not be moved: "
        + (seen.IsOut ? "the balancer's members are fixed by agent.yml" : "it is in rotation"),
        seen.IsOut ? "correct the balancer's configuration, or let the agent manage its members (members: managed in agent.yml)" : "drain it first")
        .With("balancer", balancer.Value).With("state", seen.Status));

    public static OperatorException WeightTooCoarse(BalancerName balancer, MemberKey member, int wanted, int got) => new(new OperatorError(
        StatusCode.FailedPrecondition,
        "WEIGHT_TOO_COARSE",
        $"{member} cannot have {wanted} % of a full member's share at balancer {balancer}: its own weight is so small that it would get {got} %",
        "give the backend's servers weight 100 in the balancer's configuration, so that shares can be told apart").With("balancer", balancer.Value));

    private static string Known(IEnumerable<string> names)
    {
        var list = names.Take(50).ToList();
        return list.Count == 0 ? "there are none" : $"there are: {string.Join(", ", list)}";
    }
}
