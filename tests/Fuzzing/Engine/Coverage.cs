using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using SharpFuzz.Common;

namespace Decant.Fuzzing.Engine;

/// <summary>The map in which instrumented code counts its branches, as AFL has it: a place for each pair of branches that follow each other.</summary>
internal static unsafe class Coverage
{
    private const int Places = 1 << 16;

    /// <summary>How often: 1, 2, 3, 4 to 7, 8 to 15, 16 to 31, 32 to 127, more. Another of these is another thing that has happened.</summary>
    private static readonly byte[] Classes = [.. Enumerable.Range(0, 256).Select(n => (byte)(n == 0 ? 0 : n switch { 1 => 1, 2 => 2, 3 => 4, < 8 => 8, < 16 => 16, < 32 => 32, < 128 => 64, _ => 128 }))];

    private static readonly byte* Map = (byte*)NativeMemory.AllocZeroed(Places);

    /// <summary>Before any instrumented code runs: it writes through this pointer.</summary>
    [ModuleInitializer]
    internal static void Begin() => Trace.SharedMem = Map;

    /// <summary>Forgets what was counted.</summary>
    public static void Clear()
    {
        new Span<byte>(Map, Places).Clear();
        Trace.PrevLocation = 0;
    }

    /// <summary>Adds what was counted to what has been seen.</summary>
    /// <returns>Pairs of branches that had not been seen, or not as often.</returns>
    public static int AddTo(Seen seen)
    {
        var news = 0;
        var words = new ReadOnlySpan<ulong>(Map, Places / sizeof(ulong));
        for (var word = 0; word < words.Length; word++)
        {
            if (words[word] == 0) continue;
            for (var place = word * sizeof(ulong); place < (word + 1) * sizeof(ulong); place++)
            {
                var hit = (byte)(Classes[Map[place]] & ~seen.Bits[place]);
                if (hit == 0) continue;
                if (seen.Bits[place] == 0) seen.Pairs++;
                seen.Bits[place] |= hit;
                news += BitOperations.PopCount(hit);
            }
        }

        return news;
    }

    /// <summary>What inputs have reached together.</summary>
    internal sealed class Seen
    {
        /// <summary>A bit for each class, by place.</summary>
        public byte[] Bits { get; } = new byte[Places];

        /// <summary>The same, to go on from.</summary>
        public Seen Copy()
        {
            var copy = new Seen { Pairs = Pairs };
            Bits.CopyTo(copy.Bits, 0);
            return copy;
        }

        /// <summary>Pairs of branches.</summary>
        public int Pairs { get; set; }
    }
}
