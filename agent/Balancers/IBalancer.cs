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

    /// <summary><c>haproxy</c>.</summary>
    string Kind { get; }

    /// <summary>Version that it reports.</summary>
    Task<string> ReadVersionAsync(CancellationToken cancellation);

    /// <summary>Names of its backends.</summary>
    Task<IReadOnlyList<string>> ListBackendsAsync(CancellationToken cancellation);

    /// <summary>A backend with its members as the balancer sees them now.</summary>
    Task<Backend> ReadBackendAsync(MemberName backend, CancellationToken cancellation);

    /// <summary>No new requests to the member; returns when its sessions are zero or the deadline has passed.</summary>
    Task<Drained> DrainAsync(MemberKey member, DrainOptions options, IOperationReport report, CancellationToken cancellation);

    /// <summary>Puts the member back and returns when the balancer itself calls it up; MEMBER_NOT_UP at the deadline.</summary>
    Task<Undrained> UndrainAsync(MemberKey member, TimeSpan deadline, IOperationReport report, CancellationToken cancellation);

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
/// <param name="MinOthersUp">Other members that must be up before it is drained.</param>
internal sealed record DrainOptions(TimeSpan Deadline, int MinOthersUp);
