using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Planning;

/// <summary>A step at a balancer, about the member of one instance.</summary>
/// <param name="Balancer">The balancer.</param>
/// <param name="At">The instance's host, with its slot.</param>
/// <param name="App">The app.</param>
public abstract record MemberStep(ManifestBalancer Balancer, ManifestHost At, AppName App) : Step(At.Name, Balancer.AgentOf(At))
{
    /// <summary>The member's name.</summary>
    public MemberName Member => Balancer.MemberOf(Host, At.Slot.Name);

    /// <inheritdoc/>
    public override string Key => $"{Host}/{Verb}/{Balancer.Key}{Suffix(At.Slot.Name)}";

    /// <summary>The member's place.</summary>
    protected MemberSeat Seat => new(Balancer.Key, Host, At.Slot.Name);
}

/// <summary>Takes an instance's member out of one balancer and waits for requests in flight.</summary>
/// <param name="Balancer">The balancer.</param>
/// <param name="At">The instance's host, with its slot.</param>
/// <param name="App">The app.</param>
/// <param name="Deadline">How long requests in flight may take.</param>
/// <param name="MinOthersUp">Other members that must be up before this one is drained, if it is up itself then.</param>
/// <param name="LongLived">What becomes of websockets; null: they count as requests in flight.</param>
public sealed record DrainStep(
    ManifestBalancer Balancer, ManifestHost At, AppName App, TimeSpan Deadline, int MinOthersUp, LongLivedConnections? LongLived = null)
    : MemberStep(Balancer, At, App)
{
    /// <summary>The host is to serve nothing afterwards: <c>min_in_rotation</c> does not hold it.</summary>
    public bool IsFinal { get; init; }

    /// <inheritdoc/>
    public override string Verb => "drain";

    /// <inheritdoc/>
    public override IReadOnlyList<MemberSeat> TakesOut => [Seat];

    /// <inheritdoc/>
    public override string Describe() => $"drain {Host} at {Balancer.Key} ({Balancer.Backend}/{Member}, at most {Deadline.TotalSeconds:0.###} s)";
}

/// <summary>Puts an instance's member into one balancer, or gives it another share, and waits until that calls it up.</summary>
/// <param name="Balancer">The balancer.</param>
/// <param name="At">The instance's host, with its slot.</param>
/// <param name="App">The app.</param>
/// <param name="Deadline">How long the balancer may take to call it up.</param>
/// <param name="Address">Where the balancer is to send to; null: as it is.</param>
/// <param name="Weight">Share of the traffic in hundredths of a full member's.</param>
public sealed record UndrainStep(
    ManifestBalancer Balancer, ManifestHost At, AppName App, TimeSpan Deadline, MemberAddress? Address = null, int Weight = 100)
    : MemberStep(Balancer, At, App)
{
    /// <inheritdoc/>
    public override string Verb => "undrain";

    /// <inheritdoc/>
    public override string Key => Weight == 100 ? base.Key : $"{base.Key}/share-{Weight}";

    /// <inheritdoc/>
    public override IReadOnlyList<MemberSeat> PutsIn => [Seat];

    /// <inheritdoc/>
    public override string Describe()
        => $"undrain {Host} at {Balancer.Key} ({Balancer.Backend}/{Member}{(Weight == 100 ? "" : $", {Weight} % of a full share")})";
}

/// <summary>Deletes the member of an instance that is gone for good.</summary>
public sealed record RemoveMemberStep(ManifestBalancer Balancer, ManifestHost At, AppName App) : MemberStep(Balancer, At, App)
{
    /// <inheritdoc/>
    public override string Verb => "remove-member";

    /// <inheritdoc/>
    public override string Describe() => $"remove {Balancer.Backend}/{Member} from {Balancer.Key}";
}

/// <summary>Moves traffic at one balancer in one change: instances are put in, and when they are up, others get no new requests.</summary>
/// <param name="Balancer">The balancer.</param>
/// <param name="Moves">One for each host concerned; at least one.</param>
/// <param name="App">The app.</param>
/// <param name="Deadline">How long the balancer may take to call all of them up.</param>
public sealed record MoveStep(ManifestBalancer Balancer, IReadOnlyList<HostMove> Moves, AppName App, TimeSpan Deadline)
    : Step(Moves[0].Into.Name, Balancer.AgentOf(Moves[0].Into))
{
    /// <inheritdoc/>
    public override string Verb => "move";

    /// <inheritdoc/>
    public override string Key => Moves.Count == 1 ? $"{Host}/move/{Balancer.Key}{Suffix(Moves[0].Into.Slot.Name)}" : $"{Host}..{Moves[^1].Into.Name}/move/{Balancer.Key}";

    /// <inheritdoc/>
    public override IReadOnlyList<HostName> Hosts => [.. Moves.Select(m => m.Into.Name)];

    /// <inheritdoc/>
    public override IReadOnlyList<MemberSeat> PutsIn => [.. Moves.Select(m => new MemberSeat(Balancer.Key, m.Into.Name, m.Into.Slot.Name))];

    /// <inheritdoc/>
    public override IReadOnlyList<MemberSeat> TakesOut => [.. Moves.Select(m => new MemberSeat(Balancer.Key, m.Into.Name, m.OutOf.Name))];

    /// <inheritdoc/>
    public override string Describe() => Moves.Count == 1
        ? $"move traffic of {Host} at {Balancer.Key} from {Moves[0].OutOf.Name} to {Moves[0].Into.Slot.Name}"
        : $"move traffic of {string.Join(", ", Moves.Select(m => m.Into.Name))} at {Balancer.Key}, all at once";
}

/// <summary>Traffic of one host that moves from slot to slot.</summary>
/// <param name="Into">The host, with the slot that gets it.</param>
/// <param name="OutOf">The slot that had it.</param>
/// <param name="Address">Where the balancer is to send to; null: as it is.</param>
public sealed record HostMove(ManifestHost Into, SlotSettings OutOf, MemberAddress? Address = null);
