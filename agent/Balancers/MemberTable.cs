using Decant.Names;

namespace Decant.Agent.Balancers;

/// <summary>The members of a backend as a configuration has them that is written as a whole: nginx's upstream file, Caddy's handler.</summary>
/// <param name="Members">In the configuration's order; no name twice.</param>
internal sealed record MemberTable(IReadOnlyList<TableMember> Members)
{
    /// <summary>A member; null when it is not there.</summary>
    public TableMember? Find(MemberName name) => Members.FirstOrDefault(m => m.Name == name);

    /// <summary>Whether both have the same members in the same states.</summary>
    public bool IsSame(MemberTable other) => Members.SequenceEqual(other.Members);

    /// <summary>The table with a member replaced, or added at the end.</summary>
    public MemberTable With(TableMember member)
        => Find(member.Name) is null ? new([.. Members, member]) : new([.. Members.Select(m => m.Name == member.Name ? member : m)]);

    /// <summary>The table with a member in another state.</summary>
    public MemberTable With(MemberName name, MemberState state) => new([.. Members.Select(m => m.Name == name ? m with { State = state } : m)]);

    /// <summary>The table without a member.</summary>
    public MemberTable Without(MemberName name) => new([.. Members.Where(m => m.Name != name)]);
}

/// <summary>A member in such a configuration.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Address">What the balancer sends to, as it is written: mostly host:port.</param>
/// <param name="State">What it is meant to be: never <see cref="MemberState.Down"/>.</param>
/// <param name="Weight">Share of the traffic in hundredths of a full member's.</param>
/// <param name="Options">Other settings of it that somebody wrote, in the configuration's own words; kept as they are.</param>
internal sealed record TableMember(MemberName Name, string Address, MemberState State, int Weight = PutIn.FullWeight, string Options = "")
{
    /// <summary>Whether it takes no new requests because somebody said so.</summary>
    public bool IsOut => State is MemberState.Draining or MemberState.Maintenance;

    /// <summary>A name for one that its configuration gives none.</summary>
    public static MemberName NameOf(string address)
        => MemberName.TryParse(address, out var name, out _)
            ? name
            : MemberName.Parse(string.Concat(address.Where(c => c is not ('[' or ']')).Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or ':' or '-' ? c : '_').Take(128)));
}
