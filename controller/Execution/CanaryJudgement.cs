using System.Globalization;
using Decant.Controller.Manifest;

namespace Decant.Controller.Execution;

/// <summary>What members of one kind answered while canaries were watched.</summary>
/// <param name="Answers">Answers.</param>
/// <param name="Errors">Of them: 5xx.</param>
/// <param name="ResponseTimeMs">Average time to answer; 0 when nobody measured it.</param>
internal readonly record struct TrafficFigures(long Answers, long Errors, double ResponseTimeMs)
{
    /// <summary>Share of errors in hundredths.</summary>
    public double ErrorPercent => Answers == 0 ? 0 : 100.0 * Errors / Answers;

    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{ErrorPercent:0.##} % errors ({Errors} of {Answers}){(ResponseTimeMs > 0 ? $", {ResponseTimeMs:0.#} ms" : "")}");
}

/// <summary>Decides whether canaries are worse than the rest. Pure.</summary>
internal static class CanaryJudgement
{
    /// <summary>Answers of either side below which nothing is said of errors or times: a handful proves nothing.</summary>
    public const int FewestAnswers = 50;

    /// <summary>Response times below this differ by noise alone, in milliseconds.</summary>
    private const double NoiseMs = 5;

    /// <summary>Why the canaries are too bad; null when they are not, or too little was seen yet.</summary>
    public static string? WhyTooBad(TrafficFigures canaries, TrafficFigures rest, CanaryTolerance tolerance)
    {
        if (canaries.Answers < FewestAnswers) return null;
        if (canaries.ErrorPercent > rest.ErrorPercent + tolerance.ErrorPoints && IsBeyondChance(canaries, rest, tolerance.ErrorPoints))
            return string.Create(CultureInfo.InvariantCulture, $"they answer with {canaries}, the rest with {rest}; {tolerance.ErrorPoints} points more are tolerated");
        if (rest.Answers >= FewestAnswers && rest.ResponseTimeMs > 0 && canaries.ResponseTimeMs > (rest.ResponseTimeMs * tolerance.Slowdown) + NoiseMs)
            return string.Create(CultureInfo.InvariantCulture, $"they take {canaries.ResponseTimeMs:0.#} ms to answer, the rest {rest.ResponseTimeMs:0.#} ms; {tolerance.Slowdown} times as long is tolerated");
        return null;
    }

    /// <summary>
    /// The difference is more than two standard errors above what is tolerated: with few requests one unlucky error must not end a deployment
    /// (normal approximation of the difference of two proportions).
    /// </summary>
    private static bool IsBeyondChance(TrafficFigures canaries, TrafficFigures rest, double tolerated)
    {
        var (p, q) = (canaries.ErrorPercent / 100, (rest.ErrorPercent + tolerated) / 100);
        var pooled = rest.Answers == 0 ? p : ((p * canaries.Answers) + (q * rest.Answers)) / (canaries.Answers + rest.Answers);
        var deviation = Math.Sqrt(pooled * (1 - pooled) * ((1.0 / canaries.Answers) + (rest.Answers == 0 ? 0 : 1.0 / rest.Answers)));
        return p - q > 2 * deviation;
    }
}
