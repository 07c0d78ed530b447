namespace Decant.Fuzzing.Engine;

/// <summary>What a run came to.</summary>
/// <param name="Target">The target's name.</param>
/// <param name="Seed">Of the chance.</param>
/// <param name="Inputs">How many were tried.</param>
/// <param name="Elapsed">In all.</param>
/// <param name="Pairs">Pairs of branches that were reached, one after the other.</param>
/// <param name="Outcomes">Different words that the target said.</param>
/// <param name="Slowest">The longest that an input took.</param>
/// <param name="Greediest">The most that an input allocated, of what it might.</param>
internal sealed record FuzzReport(string Target, int Seed, long Inputs, TimeSpan Elapsed, int Pairs, int Outcomes, TimeSpan Slowest, double Greediest)
{
    /// <summary>What went wrong.</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>Inputs that reached something that those before them did not, and those that it began with.</summary>
    public required IReadOnlyList<byte[]> Kept { get; init; }

    /// <inheritdoc/>
    public override string ToString()
        => $"{Target}: {Inputs} inputs in {Elapsed.TotalSeconds:0.0} s ({Inputs / Elapsed.TotalSeconds:0}/s), seed {Seed}; {Pairs} pairs of branches, {Outcomes} outcomes, {Kept.Count} inputs kept; "
            + $"slowest {Slowest.TotalMilliseconds:0} ms, greediest {Greediest:0 %} of its bound; {Findings.Count} findings";
}
