namespace Decant.EndToEnd.Harness;

/// <summary>A death of a program at one of its <see cref="KillPoints"/>.</summary>
/// <param name="Program"><c>web1</c>, <c>controller</c>.</param>
/// <param name="Number">Of the point, since the deployment began.</param>
/// <param name="IsAfter">After the write, rather than before it.</param>
/// <param name="Place">What the deployment was doing.</param>
internal sealed record KillDeath(string Program, int Number, bool IsAfter, string Place)
{
    public override string ToString() => $"{Program} {(IsAfter ? "after" : "before")} write {(Number + 1) / 2} ({Place})";
}

/// <summary>One deployment in which programs died.</summary>
/// <param name="Deaths">Of those that came by the chosen points.</param>
/// <param name="Acts">What its operator had to do: <c>resume</c>, or <c>deploy</c> again; nothing when it ended by itself.</param>
/// <param name="Wrong">What was not as it should be at the end; empty: it ended well.</param>
/// <param name="Told">All that the programs said.</param>
internal sealed record KillRound(IReadOnlyList<KillDeath> Deaths, IReadOnlyList<string> Acts, IReadOnlyList<string> Wrong, string Told)
{
    public override string ToString()
        => $"{(Deaths.Count == 0 ? "nothing died" : string.Join(", ", Deaths))}: {(Acts.Count == 0 ? "went on by itself" : string.Join(", ", Acts))}"
            + (Wrong.Count == 0 ? "" : $"; WRONG: {string.Join("; ", Wrong)}");
}
