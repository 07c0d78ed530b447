namespace Decant.Errors;

/// <summary>The word that somebody probably meant, for errors about keys and names in configuration files.</summary>
public static class Suggestion
{
    private const int LongestWord = 64;

    /// <summary>The known word nearest to <paramref name="written"/>; null when none is near: at most a third of it, and three letters, may be wrong.</summary>
    public static string? For(string written, IEnumerable<string> known)
    {
        ArgumentNullException.ThrowIfNull(written);
        if (written.Length is 0 or > LongestWord) return null;
        var tolerated = Math.Clamp(written.Length / 3, 1, 3);
        var word = written.ToLowerInvariant().Replace('-', '_');
        return known
            .Select(k => (Known: k, Mistakes: Distance(word, k)))
            .Where(k => k.Mistakes <= tolerated)
            .OrderBy(k => k.Mistakes)
            .Select(k => k.Known)
            .FirstOrDefault();
    }

    /// <summary>Letters to insert, delete, replace or swap with their neighbour (optimal string alignment).</summary>
    private static int Distance(string a, string b)
    {
        var cost = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++) cost[i, 0] = i;
        for (var j = 0; j <= b.Length; j++) cost[0, j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            for (var j = 1; j <= b.Length; j++)
            {
                var replaced = cost[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                cost[i, j] = Math.Min(replaced, Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
            }
        }

        return cost[a.Length, b.Length];
    }
}
