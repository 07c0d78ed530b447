using System.Security.Cryptography;
using Decant.Names;

namespace Decant.Agent.Tests.Releases;

/// <summary>An archive with the parts of a release that the agent looks at.</summary>
public sealed record FakeRelease
{
    public static readonly AppName Shop = AppName.Parse("shop");

    public string Script { get; init; } = "shop";

    public int ScriptMode { get; init; } = 0b111_101_101;

    public string Version { get; init; } = "1.0.0";

    public string Erts { get; init; } = "13.1.5";

    /// <summary>Null: without ERTS.</summary>
    public byte[]? Vm { get; init; } = HostElf();

    public string? StartData { get; init; }

    /// <summary>Put before every name.</summary>
    public string Below { get; init; } = "";

    /// <summary>More entries.</summary>
    public Action<TarBuilder> With { get; init; } = _ => { };

    /// <summary>Bytes that make the archive larger, the same each time.</summary>
    public int Ballast { get; init; }

    public static byte[] HostElf()
    {
        var header = new byte[64];
        using var self = File.OpenRead("/proc/self/exe");
        self.ReadExactly(header);
        return header;
    }

    public static byte[] ElfFor(ushort machine)
    {
        var header = HostElf();
        header[18] = (byte)machine;
        header[19] = (byte)(machine >> 8);
        return header;
    }

    public static ReleaseId IdOf(byte[] archive, string version = "1.0.0")
        => new(ReleaseVersion.Parse(version), Sha256Digest.FromHash(SHA256.HashData(archive)));

    public byte[] ToArchive()
    {
        var tar = new TarBuilder()
            .File(Below + $"bin/{Script}", "#!/bin/sh\nexit 0\n", ScriptMode)
            .File(Below + "releases/start_erl.data", StartData ?? $"{Erts} {Version}")
            .File(Below + "releases/COOKIE", "secret")
            .File(Below + $"releases/{Version}/sys.config", "[].\n")
            .Directory(Below + "lib/shop-1/ebin");
        if (Vm is not null) tar.File(Below + $"erts-{Erts}/bin/beam.smp", Vm, 0b111_101_101);
        if (Ballast > 0)
        {
            var random = new byte[Ballast];
            new Random(1).NextBytes(random);
            tar.File(Below + "lib/ballast", random);
        }

        With(tar);
        return tar.ToGzip();
    }
}
