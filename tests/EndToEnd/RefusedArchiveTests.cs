using System.Formats.Tar;
using System.IO.Compression;
using Decant.EndToEnd.Harness;
using Decant.V1;

namespace Decant.EndToEnd;

public class RefusedArchiveTests
{
    private TestFleet fleet = null!;
    private AgentClient agent = null!;
    private byte[] good = null!;

    [OneTimeSetUp]
    public async Task StartAgent()
    {
        fleet = await TestFleet.StartAsync(1, CancellationToken.None);
        agent = new AgentClient(fleet.Hosts[0]);
        good = await File.ReadAllBytesAsync(await DemoRelease.BuildAsync("1.0.0", fleet.Directory, CancellationToken.None));
    }

    [OneTimeTearDown]
    public async Task StopAgent() => await fleet.DisposeAsync();

    [Test]
    [CancelAfter(60_000)]
    public async Task An_archive_with_an_entry_that_climbs_out_is_refused_by_name_and_nothing_is_left(CancellationToken cancellation)
    {
        var archive = Rewrite(writer => writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, "lib/../../../etc/cron.d/evil")
        {
            DataStream = new MemoryStream("* * * * * root true\n"u8.ToArray()),
        }));

        var error = await RefusedAsync(AgentClient.Announce("1.0.0", archive), archive, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(error.Reason, Is.EqualTo("ARCHIVE_UNSAFE"));
            Assert.That(error.Message, Does.Contain("lib/../../../etc/cron.d/evil"));
            Assert.That(error.Facts["host"], Is.EqualTo("web1"));
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_truncated_archive_is_refused_and_nothing_is_left(CancellationToken cancellation)
    {
        var archive = good[..(good.Length / 2)];

        var error = await RefusedAsync(AgentClient.Announce("1.0.0", archive), archive, cancellation);

        Assert.That(error.Reason, Is.EqualTo("ARCHIVE_CORRUPT"));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_release_for_another_architecture_is_refused_naming_both_and_nothing_is_left(CancellationToken cancellation)
    {
        var archive = Rewrite(_ => { }, (name, content) =>
        {
            // e_machine at offset 18 of the ELF header (elf(5)); 0xB7 is EM_AARCH64, 0x3E is EM_X86_64.
            if (name.EndsWith("/bin/beam.smp", StringComparison.Ordinal)) content[18] = (byte)(content[18] == 0xB7 ? 0x3E : 0xB7);
        });

        var error = await RefusedAsync(AgentClient.Announce("1.0.0", archive), archive, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(error.Reason, Is.EqualTo("WRONG_ARCHITECTURE"));
            Assert.That(error.Message, Does.Contain("aarch64").And.Contain("x86_64"));
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task An_archive_whose_digest_differs_is_refused_and_nothing_is_left(CancellationToken cancellation)
    {
        var announced = AgentClient.Announce("1.0.0", [1, 2, 3]);

        var error = await RefusedAsync(announced, good, cancellation);

        Assert.Multiple(() =>
        {
            Assert.That(error.Reason, Is.EqualTo("DIGEST_MISMATCH"));
            Assert.That(error.Message, Does.Contain(announced.Digest[..12]));
        });
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_release_of_another_version_than_announced_is_refused_and_nothing_is_left(CancellationToken cancellation)
    {
        var error = await RefusedAsync(AgentClient.Announce("2.0.0", good), good, cancellation);

        Assert.That(error.Reason, Is.EqualTo("VERSION_MISMATCH"));
    }

    private async Task<Errors.OperatorError> RefusedAsync(ReleaseRef release, byte[] archive, CancellationToken cancellation)
    {
        var before = Files();
        var error = await AgentClient.ErrorAsync(() => agent.StageAsync("demo", release, archive, cancellation));
        Assert.That(Files(), Is.EqualTo(before), "something was left behind");
        return error;
    }

    private string[] Files() => [.. Directory.EnumerateFiles(fleet.Hosts[0].Data, "*", SearchOption.AllDirectories)
        // The agent's own: its database, and the record of who asked for what.
        .Where(f => !Path.GetFileName(f).StartsWith("agent", StringComparison.Ordinal) && !Path.GetFileName(f).StartsWith("audit", StringComparison.Ordinal))
        .Order(StringComparer.Ordinal)];

    /// <summary>The good archive with more entries, or with the content of some changed.</summary>
    private byte[] Rewrite(Action<TarWriter> more, Action<string, byte[]>? change = null)
    {
        using var result = new MemoryStream();
        using (var zipped = new GZipStream(result, CompressionLevel.Fastest, leaveOpen: true))
        using (var writer = new TarWriter(zipped, TarEntryFormat.Pax))
        using (var reader = new TarReader(new GZipStream(new MemoryStream(good), CompressionMode.Decompress)))
        {
            while (reader.GetNextEntry(copyData: true) is { } entry)
            {
                if (entry.DataStream is { } data && change is not null)
                {
                    var content = new byte[data.Length];
                    data.ReadExactly(content);
                    change(entry.Name, content);
                    entry.DataStream = new MemoryStream(content);
                }

                writer.WriteEntry(entry);
            }

            more(writer);
        }

        return result.ToArray();
    }
}
