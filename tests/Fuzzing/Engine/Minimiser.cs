using System.Diagnostics;

namespace Decant.Fuzzing.Engine;

/// <summary>Makes an input smaller as long as it meets the same fault.</summary>
internal sealed class Minimiser(FuzzTarget target, Func<byte[], (string Outcome, Finding? Finding)> attempt)
{
    private static readonly TimeSpan Budget = TimeSpan.FromSeconds(5);

    /// <summary>The smallest that was found in a few seconds.</summary>
    public Finding Smaller(Finding finding)
    {
        var begun = Stopwatch.GetTimestamp();
        for (var piece = Math.Max(1, finding.Input.Length / 2); piece > 0; piece = piece == 1 ? 0 : piece / 2)
        {
            for (var at = 0; at < finding.Input.Length;)
            {
                if (Stopwatch.GetElapsedTime(begun) > Budget) return finding;
                var without = target.Repair(Mutation.Splice(finding.Input, at, Math.Min(piece, finding.Input.Length - at), []));
                if (without.Length < finding.Input.Length && attempt(without).Finding is { } same && same.Place == finding.Place) finding = same;
                else at += piece;
            }
        }

        return finding;
    }
}
