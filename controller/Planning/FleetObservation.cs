using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Errors;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>What the agents say is there, asked once before planning.</summary>
/// <param name="Hosts">One entry for each host of the manifest, and for those that leave.</param>
public sealed record FleetObservation(IReadOnlyDictionary<HostName, HostObservation> Hosts)
{
    /// <summary>What each balancer says of its backend; one that was not asked is taken to have every member, in rotation.</summary>
    public IReadOnlyDictionary<BalancerSeat, BalancerObservation> Balancers { get; init; } = new Dictionary<BalancerSeat, BalancerObservation>();

    /// <summary>Hosts that ran the app by the manifest of the last deployment and are no longer in it.</summary>
    public IReadOnlyList<ManifestHost> Leaving { get; init; } = [];

    /// <summary>What the balancer that serves a host's instances says; null when it was not asked.</summary>
    public BalancerObservation? Of(ManifestBalancer balancer, HostName host)
    {
        ArgumentNullException.ThrowIfNull(balancer);
        return Balancers.GetValueOrDefault(BalancerSeat.Of(balancer, host));
    }

    /// <summary>An instance's member; null when it is not there, or the balancer was not asked.</summary>
    public ObservedMember? MemberOf(ManifestBalancer balancer, HostName host, SlotName slot)
    {
        ArgumentNullException.ThrowIfNull(balancer);
        return Of(balancer, host) is BalancerObservation.Seen seen ? seen.Members.GetValueOrDefault(balancer.MemberOf(host, slot)) : null;
    }

    /// <summary>The agent makes the balancer's members.</summary>
    public bool IsManaged(ManifestBalancer balancer, HostName host) => Of(balancer, host) is BalancerObservation.Seen { Managed: true };
}

/// <summary>One balancer: the one of the manifest's key, or, of those that each host has, the one on a host.</summary>
/// <param name="Balancer">Its key in the manifest.</param>
/// <param name="Host">The host that it lives on, of those that each host has; otherwise null.</param>
public sealed record BalancerSeat(HostName Balancer, HostName? Host)
{
    /// <summary>The balancer that serves a host's instances.</summary>
    public static BalancerSeat Of(ManifestBalancer balancer, HostName host)
    {
        ArgumentNullException.ThrowIfNull(balancer);
        return new BalancerSeat(balancer.Key, balancer.Agent is null ? host : null);
    }

    /// <inheritdoc/>
    public override string ToString() => Host is null ? Balancer.Value : $"{Balancer} on {Host}";
}

/// <summary>What one agent says of one app.</summary>
public abstract record HostObservation
{
    private HostObservation()
    {
    }

    /// <summary>The agent did not answer.</summary>
    /// <param name="Error">Why.</param>
    public sealed record Unreachable(OperatorError Error) : HostObservation;

    /// <summary>The agent answered.</summary>
    /// <param name="Staged">Releases on the host.</param>
    /// <param name="LastGood">What a rollback would go to: the newest known-good release that does not serve; null when there is none.</param>
    /// <param name="Instances">What runs, one for each slot at most.</param>
    public sealed record Seen(IReadOnlySet<ReleaseId> Staged, ReleaseId? LastGood, IReadOnlyList<RunningInstance> Instances) : HostObservation
    {
        /// <summary>Every slot that the agent knows of the app, those included in which nothing runs.</summary>
        public IReadOnlyList<SeenSlot> Slots { get; init; } = [];

        /// <summary>Why the agent changes nothing on this host; null: it does what it is asked.</summary>
        public ReadOnlyAgent? ReadOnly { get; init; }
    }
}

/// <summary>An agent that tells what is there, and changes nothing.</summary>
/// <param name="Why">What it found.</param>
/// <param name="WhatNext">What the operator does.</param>
public sealed record ReadOnlyAgent(string Why, string WhatNext);

/// <summary>An instance that runs on a host.</summary>
/// <param name="Release">What it runs.</param>
/// <param name="Healthy">It is running and its health check, where it has one, succeeds.</param>
/// <param name="Slot">The slot, and the settings it was started with.</param>
/// <param name="Retiring">It is kept warm without traffic, and stopped after a while.</param>
public sealed record RunningInstance(ReleaseId Release, bool Healthy, SlotSettings Slot, bool Retiring = false);
