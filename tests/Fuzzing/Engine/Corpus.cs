using System.Security.Cryptography;

namespace Decant.Fuzzing.Engine;

/// <summary>Inputs in files: a directory for each target.</summary>
internal static class Corpus
{
    private const int Most = 24;
    private const int Largest = 3 << 10;

    /// <summary>Those that come with the project: what once broke something, and what reaches far.</summary>
    public static IReadOnlyList<byte[]> Of(FuzzTarget target)
    {
        var directory = Path.Combine(AppContext.BaseDirectory, "Corpus", target.Name);
        var kept = Directory.Exists(directory) ? Directory.GetFiles(directory).Order(StringComparer.Ordinal).Select(File.ReadAllBytes) : [];
        return [.. kept.Concat(target.Seeds)];
    }

    /// <summary>Writes a few small inputs that reach together what a run has reached, or most of it.</summary>
    public static void Write(string directory, FuzzTarget target, IReadOnlyList<byte[]> inputs)
    {
        directory = Path.Combine(directory, target.Name);
        Directory.CreateDirectory(directory);
        var known = Of(target);
        target.Open();
        try
        {
            var seen = new Coverage.Seen();
            foreach (var input in known) Reach(target, input, seen);
            var left = inputs.Where(i => i.Length <= Largest).ToList();
            for (var written = 0; written < Most && left.Count > 0; written++)
            {
                // The one that adds most, by what it weighs.
                var best = left.MaxBy(i => Reach(target, i, seen.Copy()) / Math.Sqrt(i.Length + 16))!;
                if (Reach(target, best, seen) < 2) break;
                left.Remove(best);
                File.WriteAllBytes(Path.Combine(directory, Convert.ToHexStringLower(SHA256.HashData(best))[..12]), best);
            }
        }
        finally
        {
            target.Close();
        }
    }

    private static int Reach(FuzzTarget target, byte[] input, Coverage.Seen seen)
    {
        Coverage.Clear();
        target.Run(input);
        return Coverage.AddTo(seen);
    }
}
