using Decant.Agent.Operations;
using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>
/// What sends traffic to instances. All members throw <see cref="Errors.OperatorException"/>: BALANCER_UNREACHABLE (nothing is assumed about the member
/// then), BACKEND_NOT_FOUND, MEMBER_NOT_FOUND. What changes something is idempotent.
/// </summary>
internal interface IBalancer
{
    /// <summary>By agent.yml.</summary>
    BalancerName Name { get; }

    /// <summary><c>haproxy</c>, <c>nginx</c>, …</summary>
    string Kind { get; }

    /// <summary>Version that it reports.</summary>
    Task<string> ReadVersionAsync(CancellationToken cancellation);

    /// <summary>Names of its backends.</summary>
    Task<IReadOnlyList<string>> ListBackendsAsync(CancellationToken cancellation);

    /// <summary>A backend with its members as the balancer sees them now.</summary>
    Task<Backend> ReadBackendAsync(MemberName backend, CancellationToken cancellation);

    /// <summary>No new requests to the member; returns when its sessions are zero or the deadline has passed.</summary>
    Task<Drained> DrainAsync(MemberKey member, DrainOptions options, IOperationReport report, CancellationToken cancellation);

    /// <summary>
    /// Puts the member in, with its address and its share of the traffic, and returns when the balancer itself calls it up;
    /// MEMBER_NOT_UP at the deadline, MEMBER_NOT_FOUND or ADDRESS_DIFFERS where the agent does not manage the members.
    /// </summary>
    Task<Undrained> UndrainAsync(MemberName backend, PutIn member, TimeSpan deadline, IOperationReport report, CancellationToken cancellation);

    /// <summary>
    /// Moves traffic in one change: members are put in, and when the balancer calls all of them up, others get no new requests.
    /// MEMBER_NOT_UP: nothing was taken out, and what was put in is out again.
    /// </summary>
    Task<Undrained> MoveAsync(MemberName backend, BalancerMove move, TimeSpan deadline, IOperationReport report, CancellationToken cancellation);

    /// <summary>Deletes a member that is out of rotation; MEMBER_IN_ROTATION when it is not.</summary>
    Task<Done> RemoveAsync(MemberKey member, IOperationReport report, CancellationToken cancellation);

    /// <summary>Takes the member out at once, checks included; what is in flight goes on.</summary>
    Task<Done> MaintenanceAsync(MemberKey member, IOperationReport report, CancellationToken cancellation);
}

/// <summary>A member of a backend.</summary>
/// <param name="Backend">The backend.</param>
/// <param name="Member">Its member.</param>
internal sealed record MemberKey(MemberName Backend, MemberName Member)
{
    /// <summary>As HAProxy writes it: <c>shop/web1</c>.</summary>
    public override string ToString() => $"{Backend}/{Member}";
}

/// <summary>How a member is drained.</summary>
/// <param name="Deadline">
/// From the moment that it takes no new requests until its sessions are given up. Waiting for others to be up has as long again, before that.
/// </param>
/// <param name="MinOthersUp">Other members that must be up before it is drained, if it is up itself.</param>
/// <param name="LongLived">What becomes of websockets, where they can be told apart; null: they count as requests in flight.</param>
internal sealed record DrainOptions(TimeSpan Deadline, int MinOthersUp, LongLivedPolicy? LongLived = null);

/// <summary>What becomes of connections that never finish by themselves.</summary>
/// <param name="CloseAfter">Left alone for this long.</param>
/// <param name="Spread">Then closed one after the other over this time, so that reconnects do not stampede.</param>
internal sealed record LongLivedPolicy(TimeSpan CloseAfter, TimeSpan Spread);

/// <summary>A member that is put in.</summary>
/// <param name="Member">Its name.</param>
/// <param name="Address">host:port that the balancer is to send to; null: as it is.</param>
/// <param name="Weight">Share of the traffic in hundredths of a full member's, 1 to 100.</param>
internal sealed record PutIn(MemberName Member, MemberAddress? Address = null, int Weight = PutIn.FullWeight)
{
    /// <summary>The weight of a member that takes a full share.</summary>
    public const int FullWeight = 100;
}

/// <summary>Traffic that moves.</summary>
/// <param name="Into">Put in first; at least one.</param>
/// <param name="OutOf">Taken out when all of those are up; none of them stands in both.</param>
internal sealed record BalancerMove(IReadOnlyList<PutIn> Into, IReadOnlyList<MemberName> OutOf);
