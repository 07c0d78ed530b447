namespace Decant.Controller.Planning;

/// <summary>The steps of one host from old to new, in three parts that strategies put together: which waves they fall into is not known here.</summary>
/// <param name="Before">Until the new instance is healthy. In place, the old one is drained and stopped by these.</param>
/// <param name="Traffic">Gives the new instance its traffic.</param>
/// <param name="After">Sees to the old instance.</param>
/// <param name="IsBeside">The old instance serves until the traffic moves: no capacity is taken away.</param>
internal sealed record CutoverSteps(IReadOnlyList<Step> Before, IReadOnlyList<Step> Traffic, IReadOnlyList<Step> After, bool IsBeside)
{
    /// <summary>All of them, in order.</summary>
    public IReadOnlyList<Step> All => [.. Before, .. Traffic, .. After];
}
